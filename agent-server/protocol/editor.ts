/**
 * LSP between editors (or the replay) and the agent-server: JSON-RPC over a local socket. `initialize` carries
 * `initializationOptions: InitializationOptions`; without the token every request is refused.
 */
import { z } from 'zod';
import { AdapterExportRequest, AnswerGroup, Exported, ExportRequest, Stored } from './data.ts';
import { ProposedEdit } from './edits.ts';
import { LessonId, SessionId, TurnId, WeightVersion } from './ids.ts';
import { WorkerInfo } from './link.ts';
import { Observation, TurnSubject } from './observations.ts';
import { Pairing } from './pairing.ts';
import { MAX_LESSON_CHARS, PanelLesson, PanelSnapshot } from './panel.ts';
import {
  AnswerPair,
  Comparisons,
  EvaluationReport,
  EvaluationRequest,
  SideBySideRequest,
} from './promotion.ts';
import { TurnDetail, TurnPage, TurnQuery, TurnRequest } from './turns.ts';

export const InitializationOptions = z.object({
  token: z.string(),
  client: z.string().max(200),
  /** It answers `serverRequests.judge`. */
  judge: z.boolean().default(false),
});

export const LearningState = z.enum(['unasked', 'on', 'paused', 'off']);
export type LearningState = z.infer<typeof LearningState>;

export const StagedChange = z.object({
  repositoryRoot: z.string().min(1).max(4096),
  stagedTree: z.string().nullable(),
  head: z.string().nullable(),
  /** The commit (HEAD) that is to be amended; null: a new commit is meant. */
  replaces: z.string().nullable().default(null),
  /** `git diff --cached` text, against HEAD or, for an amend, HEAD's parent; scrubbed of secrets, at most 1 MiB. */
  diff: z.string().min(1).max(1_048_576),
});
export type StagedChange = z.infer<typeof StagedChange>;

/** What an inline edit is asked for: whole lines of a document. All text in it is data. */
export const SelectedCode = z.object({
  repositoryRoot: z.string().min(1).max(4096).nullable(),
  documentSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** VS Code's language id. */
  language: z.string().regex(/^[\w.+#-]{1,50}$/),
  /** Its base name: where it lies is nobody's business. */
  fileName: z.string().min(1).max(255),
  /** What the user wants. */
  instruction: z.string().trim().min(1).max(2_000),
  /** The selected lines, LF between them; '' for a place where something is to be inserted. */
  code: z.string().max(65_536),
  /** Lines around them, for orientation. */
  before: z.string().max(8_192),
  after: z.string().max(8_192),
});
export type SelectedCode = z.infer<typeof SelectedCode>;

export const Proposal = z.object({
  turnId: TurnId,
  text: z.string(),
  version: WeightVersion,
  finishReason: z.enum(['stop', 'length', 'abort']),
});
export type Proposal = z.infer<typeof Proposal>;

/** `replacement`: the lines in place of the selected ones, LF between them, with the indentation of the document. */
export const EditProposal = Proposal.extend({ replacement: z.string() });
export type EditProposal = z.infer<typeof EditProposal>;

export const OpenProposal = z.object({
  turnId: TurnId,
  createdAt: z.iso.datetime(),
  text: z.string(),
  subject: TurnSubject,
});
export type OpenProposal = z.infer<typeof OpenProposal>;

/** What a deletion came to. */
export const Deletion = z.object({
  turns: z.number().int(),
  /** Versions that had learnt from it. They serve on until `forget`. */
  tainted: z.array(WeightVersion),
});
export type Deletion = z.infer<typeof Deletion>;

/** Every request: its method, what it takes, what it answers. */
export const editorRequests = {
  observe: {
    method: 'apprentice/observe',
    params: Observation,
    result: z.object({ duplicate: z.boolean() }),
  },
  /** Streams `actionText` notifications carrying `requestId`; cancelled with $/cancelRequest. */
  writeCommitMessage: {
    method: 'apprentice/writeCommitMessage',
    params: z.object({ requestId: z.uuid(), change: StagedChange }),
    result: Proposal,
  },
  /** Streams as above. Throws `answer_unusable` when no code can be read off the answer. */
  editSelection: {
    method: 'apprentice/editSelection',
    params: z.object({ requestId: z.uuid(), selection: SelectedCode }),
    result: EditProposal,
  },
  openProposals: {
    method: 'apprentice/openProposals',
    params: z.object({ repositoryRoot: z.string() }),
    result: z.array(OpenProposal),
  },
  panel: { method: 'apprentice/panel', params: z.object({}), result: PanelSnapshot },
  /** Newest first, a page at a time. */
  turns: { method: 'apprentice/turns', params: TurnQuery, result: TurnPage },
  /** One turn with all that is known of it. */
  turn: { method: 'apprentice/turn', params: TurnRequest, result: TurnDetail },
  /** Of the newest judged answers, by week and version. */
  answerGroups: { method: 'apprentice/answerGroups', params: z.object({}), result: z.array(AnswerGroup) },
  stored: { method: 'apprentice/stored', params: z.object({}), result: Stored },
  /** Minutes; `exportProgress` carries `requestId`; cancelled with $/cancelRequest. */
  export: { method: 'apprentice/export', params: ExportRequest, result: Exported },
  /** A PEFT folder with a model card, made in a folder that the user chose. */
  exportAdapter: {
    method: 'apprentice/exportAdapter',
    params: AdapterExportRequest,
    result: z.object({ folder: z.string() }),
  },
  /** After it, `panelChanged` follows every change, at most four a second. */
  subscribePanel: {
    method: 'apprentice/subscribePanel',
    params: z.object({ on: z.boolean() }),
    result: z.null(),
  },
  setLearning: {
    method: 'apprentice/setLearning',
    params: z.object({ state: z.enum(['on', 'paused', 'off']) }),
    result: z.object({ state: LearningState }),
  },
  getLearning: {
    method: 'apprentice/getLearning',
    params: z.object({}),
    result: z.object({ state: LearningState }),
  },
  /** Newest first. */
  lessons: { method: 'apprentice/lessons', params: z.object({}), result: z.array(PanelLesson) },
  /** A lesson that is given another text is the user's own from then on: no later verdict changes it. */
  updateLesson: {
    method: 'apprentice/updateLesson',
    params: z.object({
      lessonId: LessonId,
      rewrite: z.string().max(MAX_LESSON_CHARS).optional(),
      hint: z.string().max(MAX_LESSON_CHARS).nullable().optional(),
      state: z.enum(['active', 'off']).optional(),
    }),
    result: PanelLesson,
  },
  /** For good: a later verdict on its turn does not bring it back. */
  deleteLesson: {
    method: 'apprentice/deleteLesson',
    params: z.object({ lessonId: LessonId }),
    result: z.null(),
  },
  /** A version that has served before serves again, at once when it is still loaded. */
  rollback: {
    method: 'apprentice/rollback',
    params: z.object({ version: WeightVersion }),
    result: z.object({ serving: WeightVersion }),
  },
  /** on: not learnt from any more. Off takes that back, and lets a sample that a failed step held try again. */
  excludeSample: {
    method: 'apprentice/excludeSample',
    params: z.object({ turnId: TurnId, on: z.boolean() }),
    result: z.null(),
  },
  /** For good, with its retries and the later turns of its conversation, which repeat its text. */
  deleteTurn: {
    method: 'apprentice/deleteTurn',
    params: z.object({ turnId: TurnId }),
    result: Deletion,
  },
  deleteSession: {
    method: 'apprentice/deleteSession',
    params: z.object({ sessionId: SessionId }),
    result: Deletion,
  },
  /** Turns, versions, lessons, batches; settings stay. */
  deleteEverything: { method: 'apprentice/deleteEverything', params: z.object({}), result: z.null() },
  /** Goes back to the last version without what was deleted or excluded; the rest is trained again. */
  forget: {
    method: 'apprentice/forget',
    params: z.object({}),
    result: z.object({
      serving: WeightVersion,
      forgotten: z.array(WeightVersion),
      samplesReady: z.number().int(),
    }),
  },
  /**
   * "Is it better for me?": compared on the user's own turns after a point in time. Minutes; `evaluateProgress`
   * carries `requestId`; cancelled with $/cancelRequest.
   */
  evaluate: {
    method: 'apprentice/evaluate',
    params: EvaluationRequest.extend({ requestId: z.uuid() }),
    result: EvaluationReport,
  },
  /** What such comparisons found, and what one with these fields would measure now. */
  comparisons: {
    method: 'apprentice/comparisons',
    params: EvaluationRequest,
    result: Comparisons,
  },
  /** Answers come as `sideBySideAnswered`, with `requestId`, and whole at the end; cancelled with $/cancelRequest. */
  sideBySide: {
    method: 'apprentice/sideBySide',
    params: SideBySideRequest.extend({ requestId: z.uuid() }),
    result: z.array(AnswerPair),
  },
  /** How other agents reach the same policy; the key is a secret, and both stay the same from start to start. */
  gateway: {
    method: 'apprentice/gateway',
    params: z.object({}),
    result: z.object({ url: z.string(), key: z.string() }),
  },
  /** Is there a gpu-worker behind this pairing, and one that will do? Seconds; nothing is changed, here or there. */
  tryWorker: { method: 'apprentice/tryWorker', params: Pairing, result: WorkerInfo },
  /** Ends the agent-server (and its worker) in good order. */
  stop: { method: 'apprentice/stop', params: z.object({}), result: z.null() },
} as const;

export const editorNotifications = {
  actionText: {
    method: 'apprentice/actionText',
    params: z.object({ requestId: z.string(), text: z.string() }),
  },
  /** Of `done` out of `total` turns. */
  exportProgress: {
    method: 'apprentice/exportProgress',
    params: z.object({ requestId: z.string(), done: z.number().int(), total: z.number().int() }),
  },
  /** Of `done` out of `total` turns and arms. */
  evaluateProgress: {
    method: 'apprentice/evaluateProgress',
    params: z.object({ requestId: z.string(), done: z.number().int(), total: z.number().int() }),
  },
  /** Of `total` requests one more is answered by both. */
  sideBySideAnswered: {
    method: 'apprentice/sideBySideAnswered',
    params: z.object({ requestId: z.string(), total: z.number().int(), pair: AnswerPair }),
  },
  /** Main work, while learning is on: an agent's answer that does something to files. Editors see whether it is done. */
  editsProposed: {
    method: 'apprentice/editsProposed',
    params: z.object({ turnId: TurnId, edits: z.array(ProposedEdit).min(1).max(100) }),
  },
  panelChanged: { method: 'apprentice/panelChanged', params: PanelSnapshot },
  learningChanged: { method: 'apprentice/learningChanged', params: z.object({ state: LearningState }) },
} as const;

export type SideBySideAnswered = z.infer<typeof editorNotifications.sideBySideAnswered.params>;
/** Of an export or a comparison. */
export type Progress = z.infer<typeof editorNotifications.exportProgress.params>;
export type EditsProposed = z.infer<typeof editorNotifications.editsProposed.params>;

/** What the server asks of an editor that offered it. */
export const serverRequests = {
  /** One vote by the language model that the user consented to. All text in it is data, also what it answers. */
  judge: {
    method: 'apprentice/judge',
    params: z.object({ system: z.string(), user: z.string() }),
    result: z.object({
      text: z.string().max(262_144),
      model: z.string().max(500),
      promptTokens: z.number().int().nullable(),
      completionTokens: z.number().int().nullable(),
    }),
  },
} as const;
