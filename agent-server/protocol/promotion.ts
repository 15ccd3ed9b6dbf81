/** Figures of the decisions on which version serves, as they are stored and shown. */
import { z } from 'zod';
import { TurnId, WeightVersion } from './ids.ts';

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

/** What "is it better for me?" is asked with. */
export const EvaluationRequest = z.object({
  /** Learnt up to here, tested on turns after it; null: so that half of the judged turns lie on either side. */
  splitAt: z.iso.datetime({ offset: true }).nullable(),
  /** Newest turns after the split that are scored. */
  turns: z.number().int().min(2).max(64).default(16),
  /** Of these, how many are answered anew as well: seconds each on a CPU. */
  answers: z.number().int().min(0).max(16).default(6),
});
export type EvaluationRequest = z.infer<typeof EvaluationRequest>;

/**
 * base: neither lessons nor weights. control: the same lessons with their information destroyed, their tokens
 * shuffled: what it gains was not learnt from the user. lessons, adapter: one of them. both: as it would have
 * answered. serving: the weights that serve now, on the turns that they were not trained on.
 */
export const EvaluationArm = z.enum(['base', 'control', 'lessons', 'adapter', 'both', 'serving']);
export type EvaluationArm = z.infer<typeof EvaluationArm>;

const Difference = z.object({ mean: z.number(), low: z.number(), high: z.number() });

export const ArmResult = z.object({
  arm: EvaluationArm,
  version: WeightVersion,
  turns: z.number().int(),
  /** Mean over turns of the mean log-probability of a token of the user's own text, nats. Higher is better. */
  logprob: z.number(),
  /** The same on turns that the user corrected: nobody's answer is the measure there. Null without any. */
  correctedLogprob: z.number().nullable(),
  /** Difference from the base on the same turns, with its two-sided 80% bootstrap interval; null for the base. */
  versusBase: Difference.nullable(),
  /** Mean chrF2 (0 to 100) of a greedy answer with the user's own text; null when none were asked for. */
  chrf: z.number().nullable(),
  /** Two-sided 80% bootstrap interval of that mean. */
  chrfInterval: z.object({ low: z.number(), high: z.number() }).nullable(),
});
export type ArmResult = z.infer<typeof ArmResult>;

export const EvaluationReport = z.object({
  splitAt: z.iso.datetime(),
  /** The version that served, or would have, at the split: it had learnt from nothing later. */
  version: WeightVersion,
  /** Lessons that there were at the split. */
  lessons: z.number().int(),
  corrected: z.number().int(),
  accepted: z.number().int(),
  answered: z.number().int(),
  arms: z.array(ArmResult),
  seconds: z.number(),
});
export type EvaluationReport = z.infer<typeof EvaluationReport>;

/** A report that was kept. */
export const Comparison = z.object({ at: z.iso.datetime(), report: EvaluationReport });
export type Comparison = z.infer<typeof Comparison>;

/** What a comparison would measure now, and how long that takes. */
export const EvaluationPlan = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ready'),
    arms: z.array(EvaluationArm),
    /** Turns that are scored, and of these, that are answered anew, by each arm. */
    turns: z.number().int(),
    answers: z.number().int(),
    /** From how long these turns took, and the gate's scoring; null where neither is known. */
    seconds: z.number().nullable(),
  }),
  /** Turns that the user corrected or took, and how many it takes. */
  z.object({ kind: z.literal('too_few'), judged: z.number().int(), needed: z.number().int() }),
]);
export type EvaluationPlan = z.infer<typeof EvaluationPlan>;

/** Newest first. */
export const Comparisons = z.object({ plan: EvaluationPlan, kept: z.array(Comparison) });
export type Comparisons = z.infer<typeof Comparisons>;

export const MAX_SIDE_BY_SIDE = 8;

/** Two versions answer the same earlier requests of the user. */
export const SideBySideRequest = z.object({
  left: WeightVersion,
  right: WeightVersion,
  requests: z.number().int().min(1).max(MAX_SIDE_BY_SIDE).default(4),
});
export type SideBySideRequest = z.infer<typeof SideBySideRequest>;

/** One request, answered greedily and without lessons by both. Nothing of it is stored. */
export const AnswerPair = z.object({
  turnId: TurnId,
  /** The last thing that was asked, cut. */
  request: z.string(),
  /** What the user wanted, where they said. */
  wanted: z.string().nullable(),
  /** Neither version was trained on it. */
  heldOut: z.boolean(),
  left: z.string(),
  right: z.string(),
});
export type AnswerPair = z.infer<typeof AnswerPair>;
