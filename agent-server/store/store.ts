/** The store as the loops see it. `sqlite-store.ts` is the one implementation and the only place with SQL. */
import type { LearningState } from '../protocol/editor.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type {
  BatchId,
  LessonId,
  ObservationId,
  SampleId,
  SessionId,
  TurnId,
  WeightVersion,
} from '../protocol/ids.ts';
import type { NextStateKind, Observation } from '../protocol/observations.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { BatchManifest, TrainMetrics } from '../protocol/training.ts';
import type * as L from './lesson-types.ts';
import type { PanelStore } from './panel-store.ts';
import type * as T from './types.ts';
import type * as V from './version-types.ts';

export type StoreChange =
  | 'settings'
  | 'turns'
  | 'observations'
  | 'judge'
  | 'samples'
  | 'batches'
  | 'versions'
  | 'lessons'
  | 'comparisons';

/** Every method is one transaction: it is durable when it returns, or it threw and changed nothing. */
export interface Store extends PanelStore {
  close(): void;
  /** Resolves when a damaged page was met. The store is of no more use; opening the file again sets it aside. */
  damaged(): Promise<Error>;
  /**
   * All that `work` writes is one transaction, durable when this returns. A method that throws within it has
   * changed nothing itself; the rest stands if `work` catches the error, and is undone if it does not.
   */
  together<R>(work: () => R): R;
  /** Called after every committed change, in the writer's call: it must be quick and not throw. Returns the disposer. */
  onChange(listener: (what: StoreChange) => void): () => void;

  learning(): LearningState;

  /** A UUID of this very store: version numbers are its own, and whoever keeps its weights can tell. */
  storeId(): string;
  setLearning(state: Exclude<LearningState, 'unasked'>): void;

  // serve loop
  /**
   * Without `context`: an editor's turn without tools, whose session is its own. A turn that goes on from one
   * closed as `retried` makes that one the answer that counts.
   */
  beginTurn(turn: T.NewTurn, context?: T.TurnContext): void;
  /**
   * running -> open; a side turn, or one that is not learnable, -> settled. Earlier proposals that this one
   * overwrites (same repository, same HEAD, still open) are closed in the same transaction, and of several
   * retries all but one. Without `answer` the whole text is its content, and no next request finds it.
   */
  finishTurn(turnId: TurnId, response: T.TurnResponse, answer?: T.AnswerContext): void;
  failTurn(turnId: TurnId, code: ErrorCode): void;
  /** At start: turns that an earlier process left running can have no answer. Returns how many. */
  failInterruptedTurns(): number;
  turn(turnId: TurnId): T.Turn | undefined;
  turnState(turnId: TurnId): T.TurnState | undefined;
  /** Newest first. */
  earlierTurns(by: T.EarlierBy, hash: string, limit: number): T.EarlierTurn[];
  session(sessionId: SessionId): T.Session | undefined;

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
  /**
   * At most `limit` open turns with nothing queued that are older than `lifetimeMs`, or as far in the future (the
   * clock was put back): closed as expired. Returns how many.
   */
  expireTurns(nowMs: number, lifetimeMs: number, limit: number): number;
  /** Turns due at the judge later than `furthestMs` from now (the clock was put back): due now. Returns how many. */
  pullDueTimes(nowMs: number, furthestMs: number): number;

  // judge loop
  /** Turns whose next states are to be read now, the longest due first; those that wait for votes are not among them. */
  dueTurns(nowMs: number, limit: number): { turnId: TurnId; reason: string }[];
  nextJudgeDueMs(): number | undefined;
  /** The evidence gave no score: the turn waits for the judge's votes, from now on. A new next state ends the wait. */
  awaitVotes(turnId: TurnId, nowMs: number): void;
  turnsAwaitingVotes(nowMs: number, limit: number): TurnId[];
  nextVoteDueMs(): number | undefined;
  addVote(turnId: TurnId, vote: T.Vote): void;
  /** In the order in which they were given. */
  votes(turnId: TurnId): T.Vote[];
  /** The votes are in: the turn is read again now. Changes nothing when the turn waits for none any more. */
  endVoting(turnId: TurnId, nowMs: number): void;
  /**
   * A judge could not be asked about this turn, or about any turn that is due: attempts + 1, and asked again after
   * `firstWaitMs` at first, twice as long each time. At `maxAttempts` the turn is read again instead, with the
   * reason judge_unavailable.
   */
  postponeVotes(
    of: TurnId | 'all due',
    nowMs: number,
    patience: { readonly firstWaitMs: number; readonly maxAttempts: number },
  ): void;
  nextStates(turnId: TurnId): T.NextState[];
  /** Next states of the session's newest `turns` turns up to this one, in the order in which they came. */
  sessionNextStates(turnId: TurnId, turns: number): T.NextState[];
  verdict(turnId: TurnId): T.Verdict | undefined;
  sampleOfTurn(turnId: TurnId): T.Sample | undefined;
  /**
   * Replaces the turn's verdict, evidence and hints, settles it and takes it off the queue. The sample of the
   * turn is inserted, or replaced while it is ready or held and in no batch; null removes it. One that is or was
   * in a batch stays; when `sample` says something else (score, hint) it is superseded, and `sample` stands beside
   * it with a note. A superseded sample that is said again counts again.
   */
  recordVerdict(verdict: T.Verdict, sample: T.Sample | null, hints?: readonly T.HintCandidate[]): void;
  /** All hints of a turn, best first. */
  hintCandidates(turnId: TurnId): T.HintCandidate[];

  // train loop
  readySamples(limit: number): T.Sample[];
  /** Trained samples, newest first, less the excluded. */
  replaySamples(limit: number, exclude: readonly SampleId[]): T.Sample[];
  /** ready -> held, with the reason; a sample in another state stays as it is. */
  holdSample(sampleId: SampleId, note: string): void;
  nextVersion(): WeightVersion;
  /** Samples ready -> batched, the version's row in state training. Refuses while another batch is open. */
  beginBatch(batch: {
    batchId: BatchId;
    kind: V.BatchKind;
    version: WeightVersion;
    parent: WeightVersion;
    newSamples: readonly SampleId[];
    replaySamples: readonly SampleId[];
    /** Every turn whose text the batch takes without a sample of it: when one is deleted, the version is tainted. */
    turns: readonly V.BatchTurn[];
    createdAtMs: number;
  }): void;
  /** The folder is complete on disk. `advantages`: kept to be looked at, of each sample the last. */
  setManifest(batchId: BatchId, manifest: BatchManifest, advantages?: readonly V.SampleAdvantages[]): void;
  /** What the sample's last training step was told of each token; none when that is not kept any more. */
  tokenAdvantages(sampleId: SampleId): V.SampleAdvantages[];
  /** building or submitted -> submitted, attempts + 1. */
  submitBatch(batchId: BatchId): V.Batch;
  openBatch(): V.Batch | undefined;
  batch(batchId: BatchId): V.Batch | undefined;
  batchSamples(batchId: BatchId): { sampleId: SampleId; origin: 'new' | 'replay' }[];
  batchTurns(batchId: BatchId): V.BatchTurn[];
  /** Batch, its new samples and its version -> trained. Repeating it changes nothing. */
  completeBatch(
    batchId: BatchId,
    made: { folder: string; adapterSha256: string; metrics: TrainMetrics; atMs: number },
  ): void;
  /** For good: batch and version -> failed, new samples -> held, with the error kept. */
  failBatch(batchId: BatchId, error: string): void;
  sample(sampleId: SampleId): T.Sample | undefined;
  /** What was found of the sample's teacher when a batch was built of it; undefined before. */
  teacherCheck(sampleId: SampleId): T.TeacherCheck | undefined;
  /** Replaces an earlier one. */
  recordTeacherCheck(sampleId: SampleId, check: T.TeacherCheck): void;
  versions(): V.Version[];
  version(version: WeightVersion): V.Version | undefined;
  serving(): WeightVersion;
  /** The oldest version that is trained and not decided on. */
  undecidedVersion(): V.Version | undefined;
  /**
   * trained -> serving, and the version that served retires. Throws `invalid_request` unless the version was
   * trained from the one that serves: what it was measured against, and nobody has gone back behind.
   */
  promote(version: WeightVersion, reason: string, atMs: number, figures?: GateFigures): void;
  /** trained -> failed; its new samples are held with the reason: the same step again would fail again. */
  rejectVersion(version: WeightVersion, reason: string, atMs: number, figures?: GateFigures): void;
  /** Newest first. */
  promotions(limit: number): V.Promotion[];
  /** A version, its parent, ... down to the base. */
  lineage(version: WeightVersion): WeightVersion[];
  /**
   * The user goes back (or forward again) to a retired version. What was under way is given up, its samples are
   * ready again. Samples follow the weights: those that the version's lineage has learnt are trained, those that
   * only others have are held. Throws `invalid_request` for a version that cannot serve.
   */
  goBack(version: WeightVersion, reason: string, atMs: number): void;
  /**
   * The serving version cannot be used any more. failed: its adapter is damaged; its nearest ancestor that can serves
   * from now on, and what the lost ones had learnt is ready to be trained again. retired: it is for another base
   * model; the base serves, and what was learnt is held, as going back to it is possible once that model is set
   * again. Returns the version that serves.
   */
  fallBack(lost: WeightVersion, fate: 'failed' | 'retired', reason: string, atMs: number): WeightVersion;
  /** The nearest of the serving version's lineage, itself included, that learnt nothing deleted or excluded since. */
  cleanAncestor(): WeightVersion;
  /**
   * `clean`, that ancestor, serves; what later ones had learnt besides is ready again. Tainted versions fail and
   * lose their folder: the caller deletes it. Throws `invalid_request` when `clean` is not that ancestor any more.
   */
  forget(
    clean: WeightVersion,
    atMs: number,
  ): { serving: WeightVersion; forgotten: WeightVersion[]; samplesReady: number };
  /** These versions' weights are not kept any longer: the caller deletes the folders. Passed over: one that serves. */
  dropWeights(versions: readonly WeightVersion[]): void;
  /**
   * Turns since `sinceMs` with the text that the user wanted, latest verdict first: their rewrite, or the answer
   * that they said was right. Excluded ones are not among them.
   */
  ownTexts(limit: number, since: { sinceMs: number }): V.StoredOwnText[];
  /** Answered requests of main work, newest first, whether judged or not. */
  recentRequests(limit: number): V.StoredRequest[];
  anchors(): V.Anchor[];
  addAnchor(anchor: V.Anchor): void;

  // forgetting
  /**
   * Deletes a turn with all that was said of it, every retry of it, and the later turns of its conversation,
   * which repeat its text; an open batch that has any of it is given up. Rows are overwritten on the disk.
   * Versions that learnt from it are tainted. Throws `not_found`.
   */
  deleteTurn(turnId: TurnId): V.Deleted;
  /** The same for all turns of a session, and the turns of sessions that forked from it. Throws `not_found`. */
  deleteSession(sessionId: SessionId): V.Deleted;
  /** Everything but the settings and the anchors, which are the base's own. Version numbers go on. */
  deleteEverything(atMs: number): void;
  /**
   * excluded: not trained any more, neither as new nor in replay, and versions that learnt from it are tainted.
   * included: takes that back, and gives a sample that was held after a failed step or a rollback another try.
   * Throws `not_found` for a turn without a sample.
   */
  excludeTurn(turnId: TurnId, state: 'excluded' | 'included'): void;

  // lessons: recordVerdict makes, changes and removes them
  lesson(lessonId: LessonId): L.Lesson | undefined;
  /** All but the deleted, newest first. */
  lessons(limit: number): L.Lesson[];
  /** Newest first. */
  activeLessons(limit: number): L.Lesson[];
  /** Those that stood in the prompt of the session's latest turn with lessons. */
  lessonsOfSession(sessionId: SessionId): LessonId[];
  /** Active ones that turns of this session were corrected to, newest first. */
  lessonsMadeIn(sessionId: SessionId, limit: number): LessonId[];
  /** Throws `not_found`, and `invalid_request` when no text would be left. New words make a retired lesson active. */
  updateLesson(lessonId: LessonId, change: L.LessonChange): L.Lesson;
  deleteLesson(lessonId: LessonId): void;
  /**
   * The oldest active lesson that `version` has not been asked about, with `answers` accepted answers to check it
   * by; none after `limit` lessons have been checked against this version.
   */
  nextLessonCheck(version: WeightVersion, bounds: { answers: number; limit: number }): L.Lesson | undefined;
  /** Accepted answers of the lesson's kind and workspace given with lessons since it was made, newest first. */
  turnsWithLessons(of: Pick<L.Lesson, 'kind' | 'workspace' | 'createdAtMs'>, limit: number): T.Turn[];
  /** learnt: the lesson retires. */
  /**
   * Accepted answers that a version has learnt from, or is learning from, since the last correction of the kind and in
   * the repository of this turn.
   */
  demonstrationsLearnt(turnId: TurnId): number;
  recordLessonCheck(lessonId: LessonId, version: WeightVersion, outcome: 'learnt' | 'needed'): void;
  /** The user's latest requests that an active lesson of another turn serves, the least often distilled first. */
  turnsToDistil(limit: number): T.Turn[];
  /** When the latest distillation batches were begun, newest first. */
  latestDistillations(limit: number): number[];
}
