/** Figures of the decisions on which version serves, as they are stored and shown. */
import { z } from 'zod';

/** What the gate measured of a version against the one that served. Log-probabilities are natural. */
export const GateFigures = z.object({
  /** Earlier turns compared by the log-probability of the user's own text. */
  turns: z.number().int(),
  /** Those among them that neither version was trained on. */
  heldOut: z.number().int(),
  /** Mean over turns of the difference (new less serving), nats a token; null with too few turns. */
  meanDifference: z.number().nullable(),
  /** Lower end of its one-sided bootstrap interval. */
  lowerBound: z.number().nullable(),
  confidence: z.number(),
  margin: z.number(),
  /** Mean KL(base || version) on anchors that the batch did not hold, nats a token; null without anchors. */
  driftNats: z.number().nullable(),
  servingDriftNats: z.number().nullable(),
  maxDriftNats: z.number(),
  /** Tokens that the engine scored for it, prompts included. */
  scoredTokens: z.number().int(),
  seconds: z.number(),
});
export type GateFigures = z.infer<typeof GateFigures>;
