/** Binary RL: the turn's score is the advantage of every token that the policy sampled. */
import type { Score } from './scored.ts';

/** A_t = r for each of R response positions. Null: no score, or a score of 0, makes no sample. */
export function binaryRl(score: Score | null, responseLength: number): number[] | null {
  if (score === null || score === 0) return null;
  return new Array<number>(responseLength).fill(score);
}

/**
 * Which of R tokens a score of -1 may still push down: those that have not yet lost the PPO clip's share of the
 * probability they had when they were sampled. Every batch scores its student anew, so rho starts at 1 and the clip
 * alone would let each replay of the sample push on without end. A token of unknown behaviour is pushed.
 *
 * Measured once on the default model, six answers scored -1 and replayed for 10 steps at the default rate, on the
 * base's own answers to unrelated prompts: 1.54 nats a token lost and answers in loops without this bound, 0.95 with
 * it (spent tokens masked), 0.18 with it and two anchors a step. The bound slows the damage, anchors hold it off.
 */
export function mayStillFall(
  oldLogprobs: readonly number[],
  behaviourLogprobs: readonly number[],
  clipLow: number,
): boolean[] {
  const floor = Math.log1p(-clipLow);
  return oldLogprobs.map((old, t) => !(old - (behaviourLogprobs[t] ?? Number.NaN) < floor));
}
