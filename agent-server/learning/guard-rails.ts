/**
 * When a trained step has blown up: limits on its numbers, in one place. Such a version is kept, shown with the reason
 * and never serves. They catch what is broken; whether a sound version is better is the gate's (promotion/).
 */
import { z } from 'zod';
import type { TrainMetrics } from '../protocol/training.ts';

export const GuardRails = z.strictObject({
  /**
   * Of any step, before clipping. A step of this size comes of a batch whose numbers are wrong, not of a strong
   * correction.
   */
  maxGradNorm: z.number().positive().default(1_000),
  /**
   * Nats a token by which trained tokens may become less likely in one batch. Uniform over a vocabulary of 49,152 is
   * 10.8 nats from any token; a step that moves half of that has broken the model. The other way there is no limit: a
   * rewrite in a form that the policy would never have used gained 6.2 nats a token in one sound step.
   */
  maxLogprobFall: z.number().positive().default(5),
  /**
   * Nats a token after any step, on the batch's anchors. Runs that learnt at the highest rate tried, without anchors,
   * stood at 0.28; one nat is another model.
   */
  maxKlToBase: z.number().positive().default(1),
});
export type GuardRails = z.infer<typeof GuardRails>;

/** What is wrong with a step's numbers, for a person; null when nothing is. */
export function stepFault(metrics: TrainMetrics, limits: GuardRails): string | null {
  const { loss, gradNorm, logprobFall, klToBase, steps } = metrics;
  const watched = [{ loss, gradNorm, klToBase }, ...steps];
  const numbers = [logprobFall, ...watched.flatMap((step) => [step.loss, step.gradNorm, step.klToBase ?? 0])];
  if (!numbers.every(Number.isFinite))
    return `not finite: loss ${loss}, gradient norm ${gradNorm}, its own tokens' log-probability fell by ${logprobFall}, KL to the base ${klToBase}`;
  const norm = Math.max(...watched.map((step) => step.gradNorm));
  if (norm > limits.maxGradNorm) return `gradient norm ${norm.toFixed(1)} is over ${limits.maxGradNorm}`;
  if (logprobFall > limits.maxLogprobFall)
    return `the log-probability of its own tokens fell by ${logprobFall.toFixed(2)} nats a token, over ${limits.maxLogprobFall}`;
  const drift = Math.max(...watched.map((step) => step.klToBase ?? 0));
  if (drift > limits.maxKlToBase)
    return `KL to the base ${drift.toFixed(2)} is over ${limits.maxKlToBase} nats a token`;
  return null;
}
