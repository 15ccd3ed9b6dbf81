/** JSON inside other output, whole or cut. Parsed values are unknown: the recogniser's schema says what they are. */

/** An object longer than this is not looked for in a cut document. */
const MAX_OBJECT_CHARS = 16_384;
const MAX_OBJECTS = 2_000;

/** The document that begins at `start` and ends at the last `closing`; undefined when it is not whole. */
export function wholeJson(text: string, start: number, closing: '}' | ']'): unknown {
  const end = text.lastIndexOf(closing);
  return start < 0 || end < start ? undefined : parse(text.slice(start, end + 1));
}

/**
 * Of a document that was cut: its objects that begin with `opening` and are whole, in order. At most four times
 * the text is looked at, whatever it holds.
 */
export function wholeObjects(text: string, opening: string): unknown[] {
  const found: unknown[] = [];
  let steps = 4 * text.length;
  let at = text.indexOf(opening);
  while (at !== -1 && steps > 0 && found.length < MAX_OBJECTS) {
    const end = endOfObject(text, at, Math.min(steps, MAX_OBJECT_CHARS));
    steps -= end === null ? MAX_OBJECT_CHARS : end - at;
    const value = end === null ? undefined : parse(text.slice(at, end));
    if (value !== undefined) found.push(value);
    at = text.indexOf(opening, end ?? at + opening.length);
  }
  return found;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where the object that opens at `start` has closed; null when that is more than `limit` characters away. */
function endOfObject(text: string, start: number, limit: number): number | null {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length && at < start + limit; at++) {
    const char = text[at];
    if (quoted) {
      if (char === '\\') at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at + 1;
  }
  return null;
}
