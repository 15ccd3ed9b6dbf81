/** When a trained version may serve, and how long it is kept: every limit stands here, once. `gate.ts` measures, `promote.ts` decides. */
import { z } from 'zod';

export const PromotionConfig = z.strictObject({
  /** Earlier turns on which a new version is compared with the one that serves; 0 compares nothing. */
  turns: z.number().int().min(0).max(64).default(8),
  /** With fewer turns than this a comparison says nothing, and soundness and drift decide alone. */
  minTurns: z.number().int().min(2).max(64).default(4),
  /** Tokens of these turns, prompts included: each is scored once a version. */
  maxTokens: z.number().int().min(100).max(100_000).default(1_500),
  /** Of the one-sided bootstrap interval of the mean difference. */
  confidence: z.number().min(0.5).max(0.999).default(0.9),
  /**
   * Nats a token that a version may be worse by: the lower end of the interval is not below its negative. Ordinary
   * steps of the default learner lie at +0.06 to +0.3, their lower ends at 0 to +0.24 (12 corrections of commit
   * messages, built-in model). The margin is wide for the user who wants something else from today on: a step
   * towards it takes from what they wanted before.
   */
  margin: z.number().min(0).default(0.3),
  /** Anchors on which the drift from the base is measured; 0 measures none. */
  anchors: z.number().int().min(0).max(32).default(4),
  /**
   * Mean KL(base || version), nats a token, beyond which a version that drifts further than its parent fails. It is
   * measured on the first tokens of answers, which move most: the default learner stands at 0.08 to 0.14 there after
   * its first corrections, and at 0.01 to 0.03 over whole answers.
   */
  maxDriftNats: z.number().positive().default(0.5),
  /** Earlier versions that keep their weights (20 MB each for the built-in model) and so can serve again. */
  keepVersions: z.number().int().min(2).max(10_000).default(64),
});
export type PromotionConfig = z.infer<typeof PromotionConfig>;
