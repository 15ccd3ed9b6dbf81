/** Rows as the rest of the agent-server sees them: parsed, branded, never SQL. Times are epoch milliseconds. */
import type { PlainMessage, TurnKind } from '../protocol/gateway.ts';
import type { BatchId, ObservationId, SampleId, SessionId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { NextStateKind, Observation, TurnSubject } from '../protocol/observations.ts';
import type { BatchManifest, TrainMetrics } from '../protocol/training.ts';

export type Score = 1 | 0 | -1;

export interface NewTurn {
  turnId: TurnId;
  sessionId: SessionId;
  kind: TurnKind;
  /** False when consent was not given at that moment: served, never learnt from. */
  learnable: boolean;
  createdAtMs: number;
  messages: PlainMessage[];
  promptIds: number[];
  /** The version that the pointer named when the turn began. */
  version: WeightVersion;
  subject: TurnSubject;
}

export interface TurnResponse {
  responseIds: number[];
  /** log pi of each response id when it was generated; NaN where the engine gave none. */
  behaviourLogprobs: number[];
  text: string;
  finishReason: 'stop' | 'length' | 'abort';
  /** Version that the engine says it used. */
  version: WeightVersion;
  finishedAtMs: number;
}

/**
 * running: being generated. open: answered, waiting for its next state. settled: judged, or closed without a
 * score. failed: no complete answer (error, cancelled); never trained on.
 */
export type TurnState = 'running' | 'open' | 'settled' | 'failed';

/** Why no next state is to come for a turn. */
export type ClosedReason = 'cleared' | 'overwritten' | 'expired';

export interface Turn extends NewTurn {
  state: TurnState;
  response: TurnResponse | null;
  /** Set once the turn is known to get no next state; a commit is not matched to it any more. */
  closed: ClosedReason | null;
}

export interface StoredObservation {
  observationId: ObservationId;
  observation: Observation;
  receivedAtMs: number;
}

export interface NextState {
  turnId: TurnId;
  observationId: ObservationId;
  kind: NextStateKind;
  observedAtMs: number;
  observation: Observation;
}

/** A deterministic reading of a next state. `score` null: it says nothing about how good the action was. */
export interface Evidence {
  source: string;
  observationId: ObservationId | null;
  score: Score | null;
  /** Higher wins; a thumb outranks a commit. */
  rank: number;
  detail: string;
}

export interface Hint {
  /** rewrite: `text` is what the user wrote instead. words: 1 to 3 sentences. */
  kind: 'rewrite' | 'words';
  text: string;
}

/** Where a hint comes from. review: what the user said of the answer. tool: a command, a task or a tool call. */
export type HintSource = 'rewrite' | 'review' | 'test' | 'compiler' | 'tool' | 'judge';

/** One of a turn's hints; which of several in words teaches is settled by overlap when a batch is built. */
export interface HintCandidate extends Hint {
  source: HintSource;
}

export interface Verdict {
  turnId: TurnId;
  score: Score | null;
  /** `evidence:<source>`, `votes`, or `none` with the reason after a colon. */
  decidedBy: string;
  evidence: Evidence[];
  hint: Hint | null;
  decidedAtMs: number;
}

/** ready: waits for a batch. batched: in a batch being trained. trained: learnt. held: kept, not to be trained. */
export type SampleState = 'ready' | 'batched' | 'trained' | 'held';

export interface Sample {
  sampleId: SampleId;
  turnId: TurnId;
  score: Score | null;
  hint: Hint | null;
  state: SampleState;
  createdAtMs: number;
  batchId: BatchId | null;
}

export type BatchState = 'building' | 'submitted' | 'trained' | 'failed';

export interface Batch {
  batchId: BatchId;
  version: WeightVersion;
  parent: WeightVersion;
  state: BatchState;
  createdAtMs: number;
  /** Set once the folder is complete on disk. */
  manifest: BatchManifest | null;
  attempts: number;
  error: string | null;
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
}

/** The base model's own answer to an unrelated prompt, with its top ids: trained on so that it stays put. */
export interface Anchor {
  promptIds: number[];
  responseIds: number[];
  /** Per response position the base's top `[logprob, id]`, best first. */
  baseTop: [number, number][][];
}

export interface QueueLengths {
  observations: number;
  judge: number;
  samplesReady: number;
  samplesInBatch: number;
}
