/**
 * Anchors hold the policy near the base where nothing was asked to change: the base's own answers to
 * unrelated prompts, with the base's own probabilities as advantages.
 *
 *   A_v = lambda * pi_base(v)   for v in the base's top ids
 *
 * At rho = 1 the gradient of -sum_v A_v rho_v is that of lambda times the forward KL from base to policy.
 */
import { sameLength, type TrainRow } from './rows.ts';
import type { TopList } from './scored.ts';

export interface AnchorAnswer {
  readonly promptIds: readonly number[];
  /** R token ids that the base answered. */
  readonly responseIds: readonly number[];
  /** R lists of the base's best tokens. */
  readonly baseTop: readonly TopList[];
}

/** An anchor's row. The policy's own logprobs of the ids are unknown here: NaN, so that rho starts at 1. */
export function anchorRow(anchor: AnchorAnswer, lambda: number): TrainRow {
  const { promptIds, responseIds, baseTop } = anchor;
  sameLength('base top lists', baseTop.length, responseIds.length);
  return {
    role: 'anchor',
    promptIds,
    responseIds,
    support: {
      ids: baseTop.map((list) => list.map((entry) => entry[1])),
      logprobs: baseTop.map((list) => list.map(() => Number.NaN)),
      advantages: baseTop.map((list) => list.map((entry) => lambda * Math.exp(entry[0]))),
    },
    oldLogprobs: responseIds.map(() => Number.NaN),
    behaviourLogprobs: responseIds.map(() => Number.NaN),
    lossMask: responseIds.map(() => 1),
    ceWeights: responseIds.map(() => 0),
  };
}
