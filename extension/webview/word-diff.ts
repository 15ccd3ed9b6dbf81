/** Which words of a proposal the user dropped and which they put in. Pure; drawing is turn-card.ts's. */

export interface DiffPart {
  kind: 'same' | 'removed' | 'added';
  text: string;
}

/** Beyond this many words on either side the table grows too large: then all is removed and all is added. */
const MAX_WORDS = 400;

/** Longest common subsequence over words and the space between them; joined texts give both inputs back. */
export function wordDiff(before: string, after: string): DiffPart[] {
  const a = words(before);
  const b = words(after);
  if (a.length > MAX_WORDS || b.length > MAX_WORDS) return [part('removed', before), part('added', after)];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const parts: DiffPart[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    if (left !== undefined && left === right) {
      push(parts, 'same', left);
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      push(parts, 'removed', left);
      i++;
    } else if (right !== undefined) {
      push(parts, 'added', right);
      j++;
    }
  }
  return parts;
}

function words(text: string): string[] {
  return text.match(/\s+|[^\s]+/g) ?? [];
}

function part(kind: DiffPart['kind'], text: string): DiffPart {
  return { kind, text };
}

function push(parts: DiffPart[], kind: DiffPart['kind'], text: string): void {
  const last = parts.at(-1);
  if (last?.kind === kind) last.text += text;
  else parts.push(part(kind, text));
}
