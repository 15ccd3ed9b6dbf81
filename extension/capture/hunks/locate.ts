/** Finds an agent's text again where positions cannot tell: after a paste, an undo, a formatter, a git checkout. Pure. */
import type { Span } from './span.ts';

/** Less of the lines than this is some other text. */
const ENOUGH = 0.6;
/** Lines compared with each other at most: a hunk of 500 in a file of 20,000. */
const MAX_COMPARISONS = 10_000_000;
/** Text shorter than this is everywhere: a closing bracket, a blank line. */
const MIN_CHARACTERS = 8;

interface Line {
  /** Without what formatters change; '' for a line that says nothing. */
  readonly plain: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Where `wanted` stands in `text`: as it is, or line by line but for formatting, with at least 0.6 of its lines in
 * their order. The place with the most of it, the first among equals; null when there is none.
 */
export function locate(wanted: string, text: string): Span | null {
  if (plain(wanted).length < MIN_CHARACTERS) return null;
  const at = text.indexOf(wanted);
  if (at >= 0) return { start: at, end: at + wanted.length };
  const [ours, theirs] = [said(wanted), said(text)];
  if (ours.length === 0 || ours.length * theirs.length > MAX_COMPARISONS) return null;
  let best: { first: Line; last: Line; count: number } | null = null;
  // Enough of the lines in their order: the first of them is one of our first ones. A match goes on from there, with
  // at most as many other lines between as ours has.
  const firsts = ours.slice(0, Math.floor((1 - ENOUGH) * ours.length) + 1).map((line) => line.plain);
  const openings = new Set(firsts.some(tells) ? firsts.filter(tells) : firsts);
  for (let begin = 0; begin < theirs.length; begin++) {
    if (!openings.has(theirs[begin]?.plain ?? '')) continue;
    const window = theirs.slice(begin, begin + 2 * ours.length);
    const matched = commonLines(ours, window);
    const [first, last] = [matched.at(0), matched.at(-1)];
    if (first && last && matched.length > (best?.count ?? 0)) best = { first, last, count: matched.length };
    if (best?.count === ours.length) break;
  }
  if (best === null || best.count < ENOUGH * ours.length) return null;
  return { start: best.first.start, end: best.last.end };
}

/** Share of the lines of `proposed` that `now` still has, in their order, but for formatting. 0 to 1; 1 of nothing. */
export function survival(proposed: string, now: string): number {
  const ours = said(proposed);
  if (ours.length === 0) return 1;
  const theirs = said(now);
  if (ours.length * theirs.length > MAX_COMPARISONS) return 0;
  return commonLines(ours, theirs).length / ours.length;
}

/** The lines that say something, without what formatters change in them. */
export function plainLines(text: string): string[] {
  return said(text).map((line) => line.plain);
}

/** Lines of `theirs` that make the longest common subsequence with `ours`. */
function commonLines(ours: readonly Line[], theirs: readonly Line[]): Line[] {
  const width = theirs.length + 1;
  const common = new Uint16Array((ours.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = ours.length - 1; i >= 0; i--)
    for (let j = theirs.length - 1; j >= 0; j--)
      common[i * width + j] =
        ours[i]?.plain === theirs[j]?.plain ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const matched: Line[] = [];
  for (let i = 0, j = 0; i < ours.length && j < theirs.length; ) {
    const line = theirs[j];
    if (line && ours[i]?.plain === line.plain) {
      matched.push(line);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return matched;
}

/** Not a line that stands in every file. */
function tells(line: string): boolean {
  return line.length > 3;
}

/** The lines that say something, with where they are. */
function said(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    const own = plain(line);
    if (own !== '') lines.push({ plain: own, start, end: start + line.replace(/\r$/, '').length });
    start += line.length + 1;
  }
  return lines;
}

/** Blanks, kinds of quotes, and commas and semicolons at the end are a formatter's. */
function plain(text: string): string {
  return text
    .replaceAll(/\s+/g, '')
    .replaceAll(/["'`]/g, '"')
    .replace(/[,;]+$/, '');
}
