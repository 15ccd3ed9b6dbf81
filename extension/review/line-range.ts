/** Lines of a document: where they are after it changed, and how they are replaced. Pure, and the same for every line end. */

/** [start, end), from 0. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/** These lines of a document become those. */
export interface LineEdit {
  readonly range: LineRange;
  readonly lines: readonly string[];
}

export interface Place {
  readonly line: number;
  readonly character: number;
}

/** As editors tell it: what stood between two places became `text`. */
export interface TextChange {
  readonly start: Place;
  readonly end: Place;
  readonly text: string;
}

/** The lines [start, end) became `count` lines. `goesOn`: they go on from the line before. */
interface LineChange extends LineRange {
  readonly count: number;
  readonly goesOn: boolean;
}

/**
 * The range after a change; null when the change takes in all of it and more. Lines that come before its first line are
 * not of it; what is typed at the end of its last line is, in whatever number of lines.
 */
export function followLines(range: LineRange, change: TextChange): LineRange | null {
  const { start: from, end: to, count, goesOn } = changedLines(change);
  const { start, end } = range;
  const shift = count - (to - from);
  if (from === to) {
    if (from <= start) return { start: start + shift, end: end + shift };
    const inside = from < end || (from === end && goesOn);
    return inside ? { start, end: end + shift } : range;
  }
  if (to <= start) return { start: start + shift, end: end + shift };
  if (from >= end) return range;
  if (from >= start && to <= end) return { start, end: end + shift };
  if (from <= start && to >= end) return null;
  return from < start ? { start: from + count, end: end + shift } : { start, end: from };
}

/** Several changes of one moment, with the places of before. Null when one of them takes it all. */
export function followAll(range: LineRange, changes: readonly TextChange[]): LineRange | null {
  return changes
    .toSorted((a, b) => b.start.line - a.start.line || b.start.character - a.start.character)
    .reduce<LineRange | null>((now, change) => now && followLines(now, change), range);
}

/** The text change that replaces lines, in a document of `lineCount` lines with these lengths. LF between the lines. */
export function textChange(
  { range: { start, end }, lines }: LineEdit,
  document: { readonly lineCount: number; lengthOf(line: number): number },
): TextChange {
  const { lineCount, lengthOf } = document;
  const endOf = (line: number): Place => ({ line, character: lengthOf(line) });
  const beginOf = (line: number): Place => ({ line, character: 0 });
  const text = lines.join('\n');
  if (lines.length > 0 && start < end) return { start: beginOf(start), end: endOf(end - 1), text };
  if (lines.length > 0)
    return start < lineCount
      ? { start: beginOf(start), end: beginOf(start), text: `${text}\n` }
      : { start: endOf(lineCount - 1), end: endOf(lineCount - 1), text: `\n${text}` };
  if (end < lineCount) return { start: beginOf(start), end: beginOf(end), text: '' };
  // The last lines go with the line end before them; of all lines one empty line is left.
  return { start: start > 0 ? endOf(start - 1) : beginOf(0), end: endOf(end - 1), text: '' };
}

function changedLines({ start, end, text }: TextChange): LineChange {
  const breaks = text.split(/\r\n|\r|\n/).length - 1;
  const wholeLines = start.character === 0 && end.character === 0 && (text === '' || /[\r\n]$/.test(text));
  if (wholeLines) return { start: start.line, end: end.line, count: breaks, goesOn: false };
  // The first line stays where it begins: what follows it is what changed.
  const after = start.character > 0 && (/^[\r\n]/.test(text) || (text === '' && end.line > start.line));
  if (after) return { start: start.line + 1, end: end.line + 1, count: breaks, goesOn: true };
  return { start: start.line, end: end.line + 1, count: breaks + 1, goesOn: true };
}
