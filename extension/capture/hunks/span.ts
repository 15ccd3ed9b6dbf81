/** Where a piece of a document is after the document changed. Pure arithmetic; what the text says is locate.ts. */

/** UTF-16 units, [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** As editors tell it: at `offset` of the document before, `removed` units became `text`. */
export interface Change {
  readonly offset: number;
  readonly removed: number;
  readonly text: string;
}

/**
 * The span after one change; null when the change takes in all of it and more, so that only the new text can tell
 * where it is. A change of exactly the span is a change of what it says. What is typed at an edge belongs to the span
 * when it goes on with its first or last line, and not when it makes a line of its own. A change across an edge
 * belongs to where the larger part of what it removed was.
 */
export function follow(span: Span, change: Change): Span | null {
  const { start, end } = span;
  const from = change.offset;
  const to = from + change.removed;
  const shift = change.text.length - change.removed;
  if (from === to && (from === start || from === end)) return typedAtEdge(span, change);
  if (to <= start) return { start: start + shift, end: end + shift };
  if (from >= end) return span;
  if (from >= start && to <= end) return { start, end: end + shift };
  if (from <= start && to >= end) return null;
  if (from < start) {
    const ofSpan = to - start > start - from;
    return { start: ofSpan ? from : from + change.text.length, end: end + shift };
  }
  const ofSpan = end - from > to - end;
  return { start, end: ofSpan ? from + change.text.length : from };
}

/** The texts that changes brought, and where they are in the document after them. */
export function changedSpans(changes: readonly Change[]): (Span & { readonly text: string })[] {
  let shift = 0;
  return changes
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, removed, text }) => {
      const start = offset + shift;
      shift += text.length - removed;
      return { start, end: start + text.length, text };
    });
}

function typedAtEdge({ start, end }: Span, { offset, text }: Change): Span {
  const grown = { start, end: end + text.length };
  // An empty span is what is left of a deleted one: what is typed there takes its place.
  if (start === end) return grown;
  if (offset === start) return text.endsWith('\n') ? { start: start + text.length, end: grown.end } : grown;
  return /^\r?\n/.test(text) ? { start, end } : grown;
}
