/** The weighted sum of opd and binary RL on the sampled token. */
import { opd } from './opd.ts';
import type { Score } from './scored.ts';

export interface CombinedWeights {
  readonly wOpd: number;
  readonly wRl: number;
}

/**
 * A_t = w_opd (log pi_T(y_t) - log pi_old(y_t)) + w_rl r, for R response positions. Without a teacher the
 * first term is 0, without a score r is 0. With neither there is no sample: null.
 */
export function combined(
  oldLogprobs: readonly number[],
  teacherLogprobs: readonly number[] | null,
  score: Score | null,
  { wOpd, wRl }: CombinedWeights,
): number[] | null {
  if (teacherLogprobs === null && score === null) return null;
  const directive = teacherLogprobs === null ? null : opd(oldLogprobs, teacherLogprobs);
  return oldLogprobs.map((_, t) => wOpd * (directive?.[t] ?? 0) + wRl * (score ?? 0));
}
