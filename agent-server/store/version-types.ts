/** Batches, versions and what is decided of them, as the rest of the agent-server sees them. */
import type { BatchId, SampleId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { BatchManifest, TrainMetrics } from '../protocol/training.ts';
import type { Turn } from './types.ts';

export type BatchState = 'building' | 'submitted' | 'trained' | 'failed';

/** samples: judged turns. distillation: what lessons in the prompt bring about, on the user's earlier requests. */
export type BatchKind = 'samples' | 'distillation';

export interface Batch {
  batchId: BatchId;
  kind: BatchKind;
  version: WeightVersion;
  parent: WeightVersion;
  state: BatchState;
  createdAtMs: number;
  /** Set once the folder is complete on disk. */
  manifest: BatchManifest | null;
  attempts: number;
  error: string | null;
}

/** A turn that a batch distils: its request, or the lesson that came of it. */
export interface BatchTurn {
  turnId: TurnId;
  role: 'request' | 'lesson';
}

/** trained: on disk, not yet promoted. failed: kept and shown, never served. */
export type VersionState = 'training' | 'trained' | 'serving' | 'retired' | 'failed';

export interface Version {
  version: WeightVersion;
  parent: WeightVersion | null;
  state: VersionState;
  batchId: BatchId | null;
  folder: string | null;
  adapterSha256: string | null;
  metrics: TrainMetrics | null;
  createdAtMs: number;
  servedAtMs: number | null;
  /** Something that it learnt from was deleted, or excluded, afterwards. */
  tainted: Taint | null;
}

export type Taint = 'deleted' | 'excluded';

/** A decision on which version serves. */
export interface Promotion {
  version: WeightVersion;
  /** Did the version get to serve by it? */
  promoted: boolean;
  reason: string;
  /** Null where nothing was measured: a rollback, a version whose numbers were broken. */
  figures: GateFigures | null;
  decidedAtMs: number;
}

/** A judged turn with the text that the user wanted. */
export interface StoredOwnText {
  turn: Turn;
  text: string;
  /** corrected: `text` is their rewrite. accepted: it is the answer, which they took as it stood. */
  kind: 'corrected' | 'accepted';
  /** Versions whose batch had the turn in any role. */
  trainedBy: { version: WeightVersion; batchId: BatchId }[];
}

/** An answered request of the user's main work. */
export interface StoredRequest {
  turn: Turn;
  /** The text that the user wanted, where they said. */
  wanted: string | null;
  /** Versions whose batch had the turn in any role. */
  trainedBy: StoredOwnText['trainedBy'];
}

/** What a deletion came to. */
export interface Deleted {
  turns: number;
  /** Versions that had learnt from what is deleted, and those trained from them. */
  tainted: WeightVersion[];
}

/** The base model's own answer to an unrelated prompt, with its top ids: trained on so that it stays put. */
export interface Anchor {
  promptIds: number[];
  responseIds: number[];
  /** Per response position the base's top `[logprob, id]`, best first. */
  baseTop: [number, number][][];
}

/** What a training step was told of each token of a sample. response: its own answer; demonstration: the rewrite. */
export interface SampleAdvantages {
  sampleId: SampleId;
  role: 'response' | 'demonstration';
  batchId: BatchId;
  tokens: {
    id: number;
    /** Of this very token; null: the step says nothing of it. */
    advantage: number | null;
    /** c_t of -log pi(y_t). */
    weight: number;
    /** The other token that is pushed up the most. */
    other: { id: number; advantage: number } | null;
  }[];
}
