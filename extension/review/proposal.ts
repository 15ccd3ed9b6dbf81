/**
 * An agent's replacement of some lines, under review: its hunks, where they are in the document, what was decided. Pure.
 * The document holds the proposal itself, with blank lines above each hunk in which the editor shows what it removes; so
 * what is saved in the middle of a review is the proposal, and accepting changes nothing but those blank lines.
 */
import { lineDifferences } from './line-diff.ts';
import { followAll, type LineEdit, type LineRange, type TextChange } from './line-range.ts';

export type Decision = 'accepted' | 'rejected';

export interface Hunk {
  readonly removed: readonly string[];
  readonly added: readonly string[];
  /** Null: still to be decided. */
  readonly decision: Decision | null;
  /** Blank lines of the document, one for each removed line. */
  readonly ghosts: LineRange;
  /** What the agent put there, as it is by now. Stands right below the ghosts. */
  readonly fresh: LineRange;
}

export interface Proposal {
  readonly original: readonly string[];
  readonly proposed: readonly string[];
  /** All that is under review, in the document. */
  readonly region: LineRange;
  readonly hunks: readonly Hunk[];
}

/** A proposal and the edits that bring the document to it: in order, with the lines of the document before. */
export interface Step {
  readonly proposal: Proposal;
  readonly edits: readonly LineEdit[];
}

/** `original` are the document's lines from `first` on. Null: nothing would change. */
export function propose(
  first: number,
  original: readonly string[],
  proposed: readonly string[],
): Step | null {
  const differences = lineDifferences(original, proposed);
  if (differences.length === 0) return null;
  const hunks: Hunk[] = [];
  const edits: LineEdit[] = [];
  const composed: string[] = [];
  let shift = 0;
  let copied = 0;
  for (const { at, removed, added } of differences) {
    const start = first + at;
    const ghosts = { start: start + shift, end: start + shift + removed.length };
    const fresh = { start: ghosts.end, end: ghosts.end + added.length };
    hunks.push({ removed, added, decision: null, ghosts, fresh });
    edits.push({
      range: { start, end: start + removed.length },
      lines: [...removed.map(() => ''), ...added],
    });
    composed.push(...original.slice(copied, at), ...added);
    copied = at + removed.length;
    shift += added.length;
  }
  composed.push(...original.slice(copied));
  const region = { start: first, end: first + original.length + shift };
  return { proposal: { original, proposed: composed, region, hunks }, edits };
}

/**
 * Decides hunks that are not decided yet. An accepted one loses its ghosts, but for lines that the user wrote into
 * them; a rejected one becomes again what it was. `lineAt` gives a line of the document.
 */
export function decide(
  proposal: Proposal,
  indices: readonly number[],
  decision: Decision,
  lineAt: (line: number) => string,
): Step {
  const edits: LineEdit[] = [];
  let shift = 0;
  const hunks = proposal.hunks.map((hunk, index): Hunk => {
    const { ghosts, fresh } = hunk;
    const start = ghosts.start + shift;
    if (hunk.decision !== null || !indices.includes(index))
      return { ...hunk, ghosts: moved(ghosts, shift), fresh: moved(fresh, shift) };
    const kept = linesOf(ghosts, lineAt).filter((line) => line.trim() !== '');
    const edit: LineEdit =
      decision === 'accepted'
        ? { range: ghosts, lines: kept }
        : { range: { start: ghosts.start, end: fresh.end }, lines: hunk.removed };
    const came = edit.lines.length - (edit.range.end - edit.range.start);
    const length = decision === 'accepted' ? kept.length + fresh.end - fresh.start : hunk.removed.length;
    if (edit.lines.length > 0 || edit.range.start < edit.range.end) edits.push(edit);
    shift += came;
    return { ...hunk, decision, ghosts: { start, end: start }, fresh: { start, end: start + length } };
  });
  const region = { start: proposal.region.start, end: proposal.region.end + shift };
  return { proposal: { ...proposal, region, hunks }, edits };
}

/** The document changed under the review, by somebody else. Null: what is under review is there no more. */
export function follow(proposal: Proposal, changes: readonly TextChange[]): Proposal | null {
  const region = followAll(proposal.region, changes);
  if (region === null || region.start === region.end) return null;
  const hunks = proposal.hunks.map((hunk): Hunk => {
    const fresh = followAll(hunk.fresh, changes);
    const ghosts = followAll(hunk.ghosts, changes);
    // What went with something larger leaves nothing behind, where it was.
    const whole = followAll({ start: hunk.ghosts.start, end: hunk.fresh.end }, changes);
    const start = fresh?.start ?? ghosts?.end ?? whole?.start ?? region.start;
    return { ...hunk, fresh: fresh ?? { start, end: start }, ghosts: ghosts ?? { start, end: start } };
  });
  return { ...proposal, region, hunks };
}

export function undecided(proposal: Proposal): number[] {
  return proposal.hunks.flatMap(({ decision }, index) => (decision === null ? [index] : []));
}

/** What a review came to, by what is left of the proposal: `lines` is the region when every hunk is decided. */
export function outcome(proposal: Proposal, lines: readonly string[]): Decision | 'edited' {
  if (sameLines(lines, proposal.proposed)) return 'accepted';
  return sameLines(lines, proposal.original) ? 'rejected' : 'edited';
}

/** The same of one hunk that is there as it is by now. */
export function hunkOutcome({ added }: Hunk, lines: readonly string[]): 'accepted' | 'edited' {
  return sameLines(lines, added) ? 'accepted' : 'edited';
}

export function linesOf({ start, end }: LineRange, lineAt: (line: number) => string): string[] {
  return Array.from({ length: end - start }, (_, index) => lineAt(start + index));
}

function moved({ start, end }: LineRange, by: number): LineRange {
  return { start: start + by, end: end + by };
}

function sameLines(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at]);
}
