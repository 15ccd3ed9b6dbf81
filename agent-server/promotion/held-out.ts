/**
 * Which earlier turns a new version is compared on. Pure.
 *
 * Nothing is withheld from training to be tested on: of the few corrections that a user makes, every one that is
 * not learnt from is felt. Held out by nature are the answers that the user took as they stood, which are not
 * trained by default, and corrections that still wait for their batch. Turns that an ancestor of both versions
 * was trained on, but not this batch, watch over forgetting: both versions had the same of them.
 */
import type { TurnId } from '../protocol/ids.ts';

/** A judged turn with the text that the user wanted: their own rewrite, or the answer as they took it. */
export interface OwnText {
  readonly turnId: TurnId;
  readonly promptIds: readonly number[];
  /** That text as the policy would have generated it, end of turn included. */
  readonly textIds: readonly number[];
  /** In this version's own batch, new or replayed, it shows nothing. */
  readonly standing: 'held-out' | 'learnt-before' | 'in-batch';
}

export interface SliceLimits {
  readonly turns: number;
  readonly maxTokens: number;
}

/** Of `candidates`, newest first, those to compare: held-out ones before learnt ones, within the limits. */
export function selectSlice(candidates: readonly OwnText[], limits: SliceLimits): OwnText[] {
  const slice: OwnText[] = [];
  let tokens = 0;
  for (const standing of ['held-out', 'learnt-before'] as const) {
    for (const one of candidates) {
      if (one.standing !== standing || slice.length >= limits.turns) continue;
      const cost = one.promptIds.length + one.textIds.length;
      // A long one is passed over, and shorter ones after it still count.
      if (one.textIds.length === 0 || tokens + cost > limits.maxTokens) continue;
      slice.push(one);
      tokens += cost;
    }
  }
  return slice;
}
