/** The store as the loops see it. `sqlite-store.ts` is the one implementation and the only place with SQL. */
import type { LearningState } from '../protocol/editor.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { BatchId, ObservationId, SampleId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { NextStateKind, Observation } from '../protocol/observations.ts';
import type { CurvePoint, LoopName, PanelTurn, PanelVersion } from '../protocol/panel.ts';
import type { BatchManifest, TrainMetrics } from '../protocol/training.ts';
import type * as T from './types.ts';

export type StoreChange =
  | 'settings'
  | 'turns'
  | 'observations'
  | 'judge'
  | 'samples'
  | 'batches'
  | 'versions';

/** Every method is one transaction: it is durable when it returns, or it threw and changed nothing. */
export interface Store {
  close(): void;
  /** Called after every committed change, in the writer's call: it must be quick and not throw. Returns the disposer. */
  onChange(listener: (what: StoreChange) => void): () => void;

  learning(): LearningState;
  setLearning(state: Exclude<LearningState, 'unasked'>): void;

  // serve loop
  beginTurn(turn: T.NewTurn): void;
  /**
   * running -> open; a side turn, or one that is not learnable, -> settled. Earlier proposals that this one
   * overwrites (same repository, same HEAD, still open) are closed in the same transaction.
   */
  finishTurn(turnId: TurnId, response: T.TurnResponse): void;
  failTurn(turnId: TurnId, code: ErrorCode): void;
  /** At start: turns that an earlier process left running can have no answer. Returns how many. */
  failInterruptedTurns(): number;
  turn(turnId: TurnId): T.Turn | undefined;

  // environment loop
  /** Throws `queue_full` at 10,000 queued. An id seen before changes nothing. */
  addObservation(observation: Observation, receivedAtMs: number): 'added' | 'duplicate';
  queuedObservations(limit: number): T.StoredObservation[];
  /** Commit-message turns of a repository created since `sinceMs`, open or settled, newest first. */
  proposals(repositoryRoot: string, sinceMs: number, limit: number): T.Turn[];
  /** The observation becomes the turn's next state and the turn is queued for the judge. */
  attach(
    observationId: ObservationId,
    turnId: TurnId,
    kind: NextStateKind,
    observedAtMs: number,
    judgeDueAtMs: number,
  ): void;
  setAside(observationId: ObservationId, state: 'unmatched' | 'ignored', note: string): void;
  /** The turn will have no next state: queued for the judge with the reason, now. */
  closeTurn(observationId: ObservationId, turnId: TurnId, reason: T.ClosedReason): void;
  /** Open turns created before `beforeMs` with nothing queued: closed as expired. Returns how many. */
  expireTurns(beforeMs: number, nowMs: number): number;

  // judge loop
  dueTurns(nowMs: number, limit: number): { turnId: TurnId; reason: string }[];
  nextJudgeDueMs(): number | undefined;
  nextStates(turnId: TurnId): T.NextState[];
  verdict(turnId: TurnId): T.Verdict | undefined;
  sampleOfTurn(turnId: TurnId): T.Sample | undefined;
  /**
   * Replaces the turn's verdict, evidence and hint, settles it and takes it off the queue. The sample of the
   * turn is inserted, or replaced while it is ready or held; one already batched or trained stays as it is.
   * Null removes a sample that is ready or held.
   */
  recordVerdict(verdict: T.Verdict, sample: T.Sample | null): void;

  // train loop
  readySamples(limit: number): T.Sample[];
  /** Trained samples, newest first, less the excluded. */
  replaySamples(limit: number, exclude: readonly SampleId[]): T.Sample[];
  nextVersion(): WeightVersion;
  /** Samples ready -> batched, the version's row in state training. Refuses while another batch is open. */
  beginBatch(batch: {
    batchId: BatchId;
    version: WeightVersion;
    parent: WeightVersion;
    newSamples: readonly SampleId[];
    replaySamples: readonly SampleId[];
    createdAtMs: number;
  }): void;
  /** The folder is complete on disk. */
  setManifest(batchId: BatchId, manifest: BatchManifest): void;
  /** building or submitted -> submitted, attempts + 1. */
  submitBatch(batchId: BatchId): T.Batch;
  openBatch(): T.Batch | undefined;
  batchSamples(batchId: BatchId): { sampleId: SampleId; origin: 'new' | 'replay' }[];
  /** Batch, its new samples and its version -> trained. Repeating it changes nothing. */
  completeBatch(
    batchId: BatchId,
    made: { folder: string; adapterSha256: string; metrics: TrainMetrics; atMs: number },
  ): void;
  /** For good: batch and version -> failed, new samples -> held, with the error kept. */
  failBatch(batchId: BatchId, error: string): void;
  sample(sampleId: SampleId): T.Sample | undefined;
  versions(): T.Version[];
  version(version: WeightVersion): T.Version | undefined;
  serving(): WeightVersion;
  /** The serving version retires and this one serves; the decision is written down. */
  promote(version: WeightVersion, reason: string, atMs: number): void;
  /** trained -> failed, the decision written down. */
  rejectVersion(version: WeightVersion, reason: string, atMs: number): void;
  anchors(): T.Anchor[];
  addAnchor(anchor: T.Anchor): void;

  // panel
  queueLengths(nowMs: number): T.QueueLengths;
  doneCounts(): Record<LoopName, number>;
  panelTurns(limit: number): PanelTurn[];
  panelVersions(limit: number): PanelVersion[];
  /** Oldest first. */
  curve(limit: number): CurvePoint[];
}
