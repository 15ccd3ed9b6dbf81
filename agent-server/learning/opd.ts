/**
 * On-policy distillation on the sampled token: the policy's own response is read again by a teacher that saw
 * a hint, and each token is pushed by how much more (or less) likely the teacher finds it.
 */
import { sameLength } from './rows.ts';

/** A_t = log pi_T(y_t) - log pi_old(y_t), for R response positions. */
export function opd(oldLogprobs: readonly number[], teacherLogprobs: readonly number[]): number[] {
  sameLength('teacher logprobs', teacherLogprobs.length, oldLogprobs.length);
  return oldLogprobs.map((old, t) => (teacherLogprobs[t] ?? Number.NaN) - old);
}
