/** The weighted sum of opd and binary RL on the sampled token. */
import { binaryRl } from './binary-rl.ts';
import { opd } from './opd.ts';
import type { Score } from './scored.ts';

export interface CombinedWeights {
  readonly wOpd: number;
  readonly wRl: number;
}

/**
 * A_t = w_opd (log pi_T(y_t) - log pi_old(y_t)) + w_rl r, for R response positions. Without a teacher the
 * first term is 0, without a score (or with r = 0) the second; without both there is no sample: null.
 */
export function combined(
  oldLogprobs: readonly number[],
  teacherLogprobs: readonly number[] | null,
  score: Score | null,
  { wOpd, wRl }: CombinedWeights,
): number[] | null {
  const evaluative = binaryRl(score, oldLogprobs.length);
  const directive = teacherLogprobs === null ? null : opd(oldLogprobs, teacherLogprobs);
  if (evaluative === null && directive === null) return null;
  return oldLogprobs.map((_, t) => wOpd * (directive?.[t] ?? 0) + wRl * (evaluative?.[t] ?? 0));
}
