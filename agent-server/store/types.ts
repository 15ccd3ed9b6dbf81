/** Rows as the rest of the agent-server sees them: parsed, branded, never SQL. Times are epoch milliseconds. */
import type {
  AnswerMessage,
  PlainMessage,
  SessionOrigin,
  TakenFor,
  ToolDefinition,
  TurnKind,
} from '../protocol/gateway.ts';
import type {
  BatchId,
  LessonId,
  ObservationId,
  SampleId,
  SessionId,
  TurnId,
  WeightVersion,
} from '../protocol/ids.ts';
import type { NextStateKind, Observation, TurnSubject } from '../protocol/observations.ts';

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

/** Hashes by which a later request finds a turn (`sessions/conversation-hash.ts`). */
export interface RequestHashes {
  /** Of every message but those of the system. */
  dialogue: string;
  /** Of the messages of the system. */
  system: string;
}

/** How a turn came to be asked: its session, its place among the turns before it, what else was in its prompt. */
export interface TurnContext {
  origin: SessionOrigin;
  /** The client's own name for itself; null: not known. */
  client: string | null;
  takenFor: TakenFor;
  /** The turn whose conversation this one extends. */
  parentTurnId: TurnId | null;
  /** The first turn that was asked for just this. */
  retryOf: TurnId | null;
  /** Set for the first turn of a session that an edit of history split off. */
  fork: { from: SessionId; after: TurnId } | null;
  /** Null: nothing looks for it by its messages. */
  hashes: RequestHashes | null;
  tools: readonly ToolDefinition[];
  /** Lessons that stand in the prompt: `promptIds` are with them, `messages` without. */
  lessonIds: readonly LessonId[];
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

/** The answer taken apart, and the hashes by which a next request finds it. */
export interface AnswerContext {
  message: AnswerMessage;
  /** Null: nothing looks for it by its messages. */
  hashes: { conversation: string; exchange: string } | null;
}

export interface Session {
  sessionId: SessionId;
  createdAtMs: number;
  origin: SessionOrigin;
  takenFor: TakenFor;
  client: string | null;
  fork: { from: SessionId; after: TurnId } | null;
}

/** Hashes by which earlier turns are found: of their request, of it and the answer, of the last exchange. */
export type EarlierBy = 'request' | 'conversation' | 'exchange';

/** What tells whether a request goes on from a turn, or repeats it. */
export interface EarlierTurn {
  turnId: TurnId;
  sessionId: SessionId;
  kind: TurnKind;
  state: TurnState;
  createdAtMs: number;
  finishedAtMs: number | null;
  systemHash: string | null;
  parentTurnId: TurnId | null;
  retryOf: TurnId | null;
  /** Main work went on from it. */
  continued: boolean;
  /** Something was observed of it. */
  followed: boolean;
}

/**
 * running: being generated. open: answered, waiting for its next state. settled: judged, or closed without a
 * score. failed: no complete answer (error, cancelled); never trained on.
 */
export type TurnState = 'running' | 'open' | 'settled' | 'failed';

/** Why no next state is to come for a turn. */
export type ClosedReason = 'cleared' | 'overwritten' | 'expired' | 'retried';

export interface Turn extends NewTurn {
  state: TurnState;
  response: TurnResponse | null;
  /** Set once the turn is known to get no next state; a commit is not matched to it any more. */
  closed: ClosedReason | null;
  takenFor: TakenFor;
  parentTurnId: TurnId | null;
  tools: readonly ToolDefinition[];
  /** Null until answered, and for turns of the format before. */
  answer: AnswerMessage | null;
  lessonIds: readonly LessonId[];
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

/**
 * The teacher's own answer beside the student's. worse: nothing is distilled from it. unknown: nothing tells, so it
 * teaches as it did without a check.
 */
export interface TeacherCheck {
  teacher: WeightVersion;
  /** The hint that it saw: of those in words, the one that was chosen. */
  hint: HintCandidate;
  verdict: 'better' | 'worse' | 'unknown';
  /** One sentence for the panel. */
  detail: string;
}

/** One of a turn's hints; which of several in words teaches is settled by overlap when a batch is built. */
export interface HintCandidate extends Hint {
  source: HintSource;
}

/** One judge's opinion of a turn, as it was asked for and given. */
export interface Vote {
  /** Null: the answer was no vote. */
  score: Score | null;
  /** Its hints, best first; none without a score. */
  hints: string[];
  /** How many of the turn's next states it saw: votes that saw fewer than there are do not count. */
  seen: number;
  judge: string;
  model: string;
  prompt: string;
  raw: string;
  latencyMs: number;
  /** Null where the judge does not say. */
  promptTokens: number | null;
  completionTokens: number | null;
  costUsd: number | null;
  createdAtMs: number;
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
  /** Why it is held, or what it takes the place of; for a person. */
  note: string | null;
}

export interface QueueLengths {
  observations: number;
  judge: number;
  samplesReady: number;
  samplesInBatch: number;
}

/** A first answer beside the text that the user wanted instead; `texts` null: they took it as it stood. */
export interface WantedText {
  turnId: TurnId;
  /** The Monday of its week, UTC: 2026-01-05. */
  week: string;
  version: WeightVersion;
  /** The beginnings. */
  texts: { answer: string; wanted: string } | null;
}
