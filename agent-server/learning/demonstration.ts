/** Demonstration: the user's own rewrite as an off-policy sample, trained by cross-entropy. */
import { emptySupport, type TrainRow } from './rows.ts';

/**
 * loss_t = weight * -log pi(y_t) on each of R rewrite tokens, the end token included: the policy learns where
 * to stop as well. There is no ratio, so old and behaviour logprobs are unknown.
 */
export function demonstrationRow(
  promptIds: readonly number[],
  rewriteIds: readonly number[],
  weight: number,
): TrainRow {
  return {
    role: 'demonstration',
    promptIds,
    responseIds: rewriteIds,
    support: emptySupport(rewriteIds.length),
    oldLogprobs: rewriteIds.map(() => Number.NaN),
    behaviourLogprobs: rewriteIds.map(() => Number.NaN),
    lossMask: rewriteIds.map(() => 1),
    ceWeights: rewriteIds.map(() => weight),
  };
}
