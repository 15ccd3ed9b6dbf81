/** Binary RL: the turn's score is the advantage of every token that the policy sampled. */
import type { Score } from './scored.ts';

/** A_t = r for each of R response positions. Null: no score, or a score of 0, makes no sample. */
export function binaryRl(score: Score | null, responseLength: number): number[] | null {
  if (score === null || score === 0) return null;
  return new Array<number>(responseLength).fill(score);
}
