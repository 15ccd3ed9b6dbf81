/** The trainer contract: a batch folder (`manifest.json` + `batch.safetensors`) in, a PEFT folder out. */
import { z } from 'zod';
import { BatchId, SampleId, WeightVersion } from './ids.ts';

export const BATCH_FORMAT = 1;

/** Every number the trainer needs beyond the tensors. The trainer knows no algorithm. */
export const Hyperparameters = z.strictObject({
  learningRate: z.number().positive(),
  /** Optimizer steps over the whole batch. */
  steps: z.number().int().min(1).max(64),
  loraRank: z.number().int().min(1).max(256),
  loraAlpha: z.number().positive(),
  weightDecay: z.number().min(0),
  adamBeta1: z.number().min(0).lt(1),
  adamBeta2: z.number().min(0).lt(1),
  maxGradNorm: z.number().positive(),
  /** PPO clip: rho is held in [1 - clipLow, 1 + clipHigh]. */
  clipLow: z.number().min(0).max(1),
  clipHigh: z.number().min(0),
  seed: z.number().int().min(0),
});
export type Hyperparameters = z.infer<typeof Hyperparameters>;

export const BatchRow = z.strictObject({
  /** The turn's sample, or null for an anchor. Stands again in a lineage's `sampleIds`. */
  sampleId: SampleId.nullable(),
  role: z.enum(['response', 'demonstration', 'anchor']),
  /** new: first time trained; replay: trained before, scored anew. */
  origin: z.enum(['new', 'replay', 'anchor']),
});
export type BatchRow = z.infer<typeof BatchRow>;

export const BatchManifest = z.strictObject({
  format: z.literal(BATCH_FORMAT),
  batchId: BatchId,
  /** Adapter to start from; `policy@v0` starts a fresh one. */
  parent: WeightVersion,
  /** The version to make: the trainer writes the folder of this name. */
  version: WeightVersion,
  rows: z.array(BatchRow).min(1).max(4096),
  hyperparameters: Hyperparameters,
  /** Hex sha256 of batch.safetensors. */
  tensorsSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BatchManifest = z.infer<typeof BatchManifest>;

/** One optimizer step, as it left the adapter. */
export const StepMetrics = z.object({
  loss: z.number(),
  /** Before clipping. */
  gradNorm: z.number(),
  klToBase: z.number().nullable(),
});
export type StepMetrics = z.infer<typeof StepMetrics>;

/** What the field was called where it was written by a version before this one. */
function withOldName(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('klToParent' in value)) return value;
  const { klToParent: logprobFall, ...rest } = value;
  return { logprobFall, ...rest };
}

const TrainMetricsFields = z.object({
  loss: z.number(),
  gradNorm: z.number(),
  /**
   * Mean of log pi_before - log pi_after on the response's own token, nats, over the trained tokens of the
   * batch's first samples (a fifth of its tokens, at least one sample). Negative where tokens became likelier.
   */
  logprobFall: z.number(),
  /**
   * Mean KL(base || policy) over the vocabulary, nats a token, on the responses of the batch's first anchors (up to a
   * fifth of its tokens, at least one). Null without anchors, and for versions made before it was watched.
   */
  klToBase: z.number().nullable().default(null),
  /** One an optimizer step; the numbers above are those of the last. */
  steps: z.array(StepMetrics).default([]),
  trainedTokens: z.number().int(),
  tokens: z.number().int(),
  seconds: z.number(),
});
export const TrainMetrics = z.preprocess(withOldName, TrainMetricsFields);
export type TrainMetrics = z.infer<typeof TrainMetrics>;

/** What a run changes: an adapter on the base, or every weight. */
export const TrainedWeights = z.enum(['adapter', 'full']);
export type TrainedWeights = z.infer<typeof TrainedWeights>;

/** lineage.json of an immutable `policy@vN/` folder. */
export const Lineage = z.object({
  format: z.literal(BATCH_FORMAT),
  version: WeightVersion,
  parent: WeightVersion,
  batchId: BatchId,
  sampleIds: z.array(SampleId),
  hyperparameters: Hyperparameters,
  baseModel: z.string(),
  weights: TrainedWeights.default('adapter'),
  /** Hex sha256 of adapter_model.safetensors; of a version with all weights, of the list of its files (gpu-worker/weights/forms.ts). */
  adapterSha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.iso.datetime(),
  metrics: TrainMetrics,
});
export type Lineage = z.infer<typeof Lineage>;
