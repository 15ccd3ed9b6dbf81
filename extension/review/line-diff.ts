/** What differs between two texts, in lines. Pure. */
import { diffArrays } from 'diff';

/** Lines that became others. One of both may be empty, never both. */
export interface LineDifference {
  /** Where in the original, from 0. */
  readonly at: number;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** More differences than this, and everything is one: nobody reviews that hunk by hunk. */
const MAX_DIFFERENT_LINES = 4_000;

/** In order, with at least one common line between two of them. Blank lines are alike however they are indented. */
export function lineDifferences(original: readonly string[], proposed: readonly string[]): LineDifference[] {
  const parts = diffArrays([...original], [...proposed], {
    comparator: (one, other) => one === other || (one.trim() === '' && other.trim() === ''),
    maxEditLength: MAX_DIFFERENT_LINES,
  });
  if (parts === undefined) return [{ at: 0, removed: original, added: proposed }];
  const differences: LineDifference[] = [];
  let at = 0;
  let current: { at: number; removed: string[]; added: string[] } | null = null;
  for (const { value, added, removed } of parts) {
    if (!added && !removed) {
      current = null;
      at += value.length;
      continue;
    }
    if (current === null) {
      current = { at, removed: [], added: [] };
      differences.push(current);
    }
    if (removed) {
      current.removed.push(...value);
      at += value.length;
    } else current.added.push(...value);
  }
  return differences;
}
