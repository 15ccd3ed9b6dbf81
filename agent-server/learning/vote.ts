/**
 * Plurality of judge votes. Who judges, and whether evidence has already decided, is the judge's business.
 */
import type { Score } from './scored.ts';

/**
 * The score with strictly the most votes; a tie, or no valid vote, is 0. A null vote is a judge that gave no
 * usable answer: it does not count.
 */
export function plurality(votes: readonly (number | null)[]): Score {
  const scores: readonly Score[] = [1, 0, -1];
  const counted = scores
    .map((score) => ({ score, count: votes.filter((vote) => vote === score).length }))
    .sort((a, b) => b.count - a.count);
  const [first, second] = counted;
  if (first === undefined || second === undefined || first.count === second.count) return 0;
  return first.score;
}
