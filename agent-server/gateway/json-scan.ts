/** Finds where a JSON object or array ends in a text that is still growing, or that it is none. Pure. */

/** `end`: index after the value. `invalid`: index of the character that no JSON has there. */
export type Scan =
  | { kind: 'complete'; end: number }
  | { kind: 'incomplete' }
  | { kind: 'invalid'; at: number };

/** What may stand outside strings: punctuation, space, numbers and the letters of true, false and null. */
const OUTSIDE = /[[\]{},:\s\d+\-.eEtrufalsn]/;

/** `from` must be at the value's `{` or `[`. Brackets are balanced; whether it parses is left to JSON.parse. */
export function scanJson(text: string, from: number): Scan {
  const open: string[] = [];
  let inString = false;
  for (let index = from; index < text.length; index++) {
    const character = text.charAt(index);
    if (inString) {
      if (character === '\\') index++;
      else if (character === '"') inString = false;
      continue;
    }
    if (character === '"') inString = true;
    else if (character === '{' || character === '[') open.push(character === '{' ? '}' : ']');
    else if (character === '}' || character === ']') {
      if (open.pop() !== character) return { kind: 'invalid', at: index };
      if (open.length === 0) return { kind: 'complete', end: index + 1 };
    } else if (!OUTSIDE.test(character)) return { kind: 'invalid', at: index };
  }
  return { kind: 'incomplete' };
}

/** Length of the longest tail of `text` that begins `mark` without being all of it. */
export function partialMark(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
