/** An agent's replacement of one piece of a text, as the whole lines that it changes. Pure; line ends are LF. */

/** Lines of a text that become others. */
export interface LineReplacement {
  /** Of `original`, from 0. */
  readonly first: number;
  readonly original: readonly string[];
  readonly proposed: readonly string[];
  /** What stands on those lines before and after the piece itself. */
  readonly before: string;
  readonly after: string;
}

export type Replaced =
  | { readonly kind: 'replaced'; readonly lines: LineReplacement }
  | { readonly kind: 'empty' | 'same' | 'missing' }
  | { readonly kind: 'several'; readonly count: number };

/** `search` is to stand in `text` just once: anything else could be a place that was not meant. */
export function replaceOnce(text: string, search: string, replace: string): Replaced {
  if (search === '') return { kind: 'empty' };
  if (search === replace) return { kind: 'same' };
  const count = text.split(search).length - 1;
  if (count === 0) return { kind: 'missing' };
  if (count > 1) return { kind: 'several', count };
  const at = text.indexOf(search);
  const end = at + search.length;
  const start = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1;
  // Whole lines, taken with the line end: the line after them stays as it is.
  const whole = search.endsWith('\n') && replace.endsWith('\n');
  const ends = whole ? end - 1 : endOfLine(text, end);
  const before = text.slice(start, at);
  const after = whole ? '' : text.slice(end, ends);
  return {
    kind: 'replaced',
    lines: {
      first: text.slice(0, start).split('\n').length - 1,
      original: text.slice(start, ends).split('\n'),
      proposed: `${before}${whole ? replace.slice(0, -1) : replace}${after}`.split('\n'),
      before,
      after: whole ? '\n' : after,
    },
  };
}

/**
 * What the replacement would have had to be for these lines to come out; null when what stands around it was changed
 * too, and no replacement gives them.
 */
export function replacementOf({ before, after }: LineReplacement, left: readonly string[]): string | null {
  const text = left.join('\n');
  if (after === '\n') return text.startsWith(before) ? `${text.slice(before.length)}\n` : null;
  const fits = text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
  return fits ? text.slice(before.length, text.length - after.length) : null;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
