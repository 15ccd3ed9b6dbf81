/**
 * What clients observe and report. An observation is acknowledged only once it is durable; its id makes a
 * repeated report harmless. All text in it is untrusted data.
 */
import { z } from 'zod';
import { ObservationId, TurnId } from './ids.ts';

/** The kinds of next state (design section 2). An observation becomes at most one next state. */
export const NextStateKind = z.enum([
  'user_reply',
  'user_edit',
  'commit',
  'patch_review',
  'thumb',
  'terminal',
  'task',
  'test_run',
  'diagnostics',
  'tool_result',
  'git',
  'screen',
]);
export type NextStateKind = z.infer<typeof NextStateKind>;

const common = {
  observationId: ObservationId,
  /** ISO 8601 with offset or Z. */
  observedAt: z.iso.datetime({ offset: true }),
};

/** How a commit came about, read from git's reflog. Only `commit` and `amend` are the user's own wording. */
export const CommitAction = z.enum([
  'commit',
  'amend',
  'squash',
  'merge',
  'rebase',
  'cherry-pick',
  'revert',
  'other',
]);
export type CommitAction = z.infer<typeof CommitAction>;

export const CommitObservation = z.object({
  kind: z.literal('commit'),
  ...common,
  source: z.enum(['editor', 'terminal', 'replay']),
  /** Absolute path of the work tree, as git prints it. */
  repositoryRoot: z.string().min(1).max(4096),
  sha: z.string().regex(/^[0-9a-f]{40,64}$/),
  tree: z.string().regex(/^[0-9a-f]{40,64}$/),
  parents: z.array(z.string().regex(/^[0-9a-f]{40,64}$/)).max(64),
  action: CommitAction,
  message: z.string().max(65_536),
  /** For an amend: the commit it replaced. */
  replaces: z.string().nullable(),
  /** sha256 of the commit's diff to its first parent, hashed as the proposal's staged diff was. */
  diffSha256: z.string().nullable(),
});
export type CommitObservation = z.infer<typeof CommitObservation>;

/** Not a next state: the proposal went away without one, so the turn gets no score. */
export const ProposalClosedObservation = z.object({
  kind: z.literal('proposal_closed'),
  ...common,
  turnId: TurnId,
  reason: z.enum(['cleared', 'overwritten']),
});
export type ProposalClosedObservation = z.infer<typeof ProposalClosedObservation>;

/** Longer texts are cut by whoever captures them, in the middle. */
export const MAX_TEXT_CHARS = 65_536;
const Text = z.string().max(MAX_TEXT_CHARS);
const ofTurn = { ...common, turnId: TurnId };

/** The user's own label: up, down, or neither; and, where they say it, how the answer should have been. */
export const ThumbObservation = z.object({
  kind: z.literal('thumb'),
  ...ofTurn,
  value: z.union([z.literal(1), z.literal(0), z.literal(-1)]),
  /** What they want instead; '' takes an earlier rewrite back; null: not said. */
  rewrite: Text.nullable().default(null),
  /** In their words; null: not said. */
  words: Text.nullable().default(null),
});
export type ThumbObservation = z.infer<typeof ThumbObservation>;

/** What the user said next in the conversation. */
export const UserReplyObservation = z.object({ kind: z.literal('user_reply'), ...ofTurn, text: Text });
export type UserReplyObservation = z.infer<typeof UserReplyObservation>;

/** The answer (or the patch it made) as the user left it. */
export const UserEditObservation = z.object({
  kind: z.literal('user_edit'),
  ...ofTurn,
  /** When it was looked at. `final`: the user is done with it. */
  moment: z.enum(['30s', '5min', 'commit', 'final', 'rejected', 'reverted']),
  /** The whole corrected text; null when only survival is known. */
  text: Text.nullable(),
  /** Share of the agent's lines still there, 0 to 1; null: read it from the text. */
  survival: z.number().min(0).max(1).nullable(),
  /** What a commit holds of each of the answer's edits, as far as that is known and may be told. */
  edits: z
    .array(
      z.object({
        /** Its place among the edits that the answer proposed (`editsProposed`). */
        edit: z.number().int().min(0).max(1000),
        /** Its lines as they were committed, '' when they are gone; null: as proposed. */
        text: Text.nullable(),
      }),
    )
    .max(1000)
    .default([]),
});
export type UserEditObservation = z.infer<typeof UserEditObservation>;

/** A decision on one hunk of a patch under review, or on the whole: what the review came to. */
export const PatchReviewObservation = z.object({
  kind: z.literal('patch_review'),
  ...ofTurn,
  /** Which hunk of how many, from 0; null: the whole patch. */
  hunk: z
    .object({ index: z.number().int().min(0), count: z.number().int().min(1) })
    .nullable()
    .default(null),
  decision: z.enum(['accepted', 'rejected', 'edited']),
  comment: Text.nullable(),
  /** What the user made of it, for `edited`. */
  text: Text.nullable(),
  /** The call of the turn's answer that made the patch: `text` is what it would have had to write. Null: the answer is it. */
  callId: z.string().max(500).nullable().default(null),
});
export type PatchReviewObservation = z.infer<typeof PatchReviewObservation>;

const Run = { exitCode: z.number().int().nullable(), output: Text };
/** The user changed files after the turn did and before the run: it is not the turn's work alone. */
const editedSince = z.boolean().default(false);
const RunOfTurn = {
  ...Run,
  /** The last run of the same command before the turn did anything; null: not known here. */
  before: z.object(Run).nullable().default(null),
  editedSince,
};
export const TerminalObservation = z.object({
  kind: z.literal('terminal'),
  ...ofTurn,
  source: z.enum(['user', 'agent']),
  commandLine: Text,
  cwd: z.string().max(4096).nullable(),
  ...RunOfTurn,
});
export type TerminalObservation = z.infer<typeof TerminalObservation>;

export const TaskObservation = z.object({
  kind: z.literal('task'),
  ...ofTurn,
  name: z.string().max(500),
  ...RunOfTurn,
});
export type TaskObservation = z.infer<typeof TaskObservation>;

export const TestRunObservation = z.object({
  kind: z.literal('test_run'),
  ...ofTurn,
  ...Run,
  /** Output or report of the same tests before the turn; null: not known here. */
  before: Text.nullable(),
  /** Diff of the test files that the turn changed; null: not known, '' none. */
  testDiff: Text.nullable(),
  editedSince,
});
export type TestRunObservation = z.infer<typeof TestRunObservation>;

export const Diagnostic = z.object({
  path: z.string().max(4096),
  line: z.number().int().min(0).nullable(),
  severity: z.enum(['error', 'warning', 'info']),
  /** Who says it: tsc, eslint, ... */
  source: z.string().max(100),
  code: z.string().max(100).nullable(),
  message: z.string().max(8192),
});
export type Diagnostic = z.infer<typeof Diagnostic>;

/** What a language server says now of the lines that a turn touched and did not say before, and the reverse. */
export const DiagnosticsObservation = z.object({
  kind: z.literal('diagnostics'),
  ...ofTurn,
  appeared: z.array(Diagnostic).max(200),
  vanished: z.array(Diagnostic).max(200),
});
export type DiagnosticsObservation = z.infer<typeof DiagnosticsObservation>;

export const ToolResultObservation = z.object({
  kind: z.literal('tool_result'),
  ...ofTurn,
  callId: z.string().max(500),
  toolName: z.string().max(500),
  /** Null: the client does not say. */
  isError: z.boolean().nullable(),
  text: Text,
});
export type ToolResultObservation = z.infer<typeof ToolResultObservation>;

/** What git did to the files that a turn changed. */
export const GitObservation = z.object({
  kind: z.literal('git'),
  ...ofTurn,
  action: z.enum(['revert', 'checkout_file', 'stash', 'switch', 'merge', 'reset']),
  paths: z.array(z.string().max(4096)).max(1000),
  /** Share of the turn's lines still there afterwards, 0 to 1; null: not known. */
  survival: z.number().min(0).max(1).nullable(),
});
export type GitObservation = z.infer<typeof GitObservation>;

/** Text of a screen (terminal application, browser) after the action. */
export const ScreenObservation = z.object({ kind: z.literal('screen'), ...ofTurn, text: Text });
export type ScreenObservation = z.infer<typeof ScreenObservation>;

export const Observation = z.discriminatedUnion('kind', [
  CommitObservation,
  ThumbObservation,
  ProposalClosedObservation,
  UserReplyObservation,
  UserEditObservation,
  PatchReviewObservation,
  TerminalObservation,
  TaskObservation,
  TestRunObservation,
  DiagnosticsObservation,
  ToolResultObservation,
  GitObservation,
  ScreenObservation,
]);
export type Observation = z.infer<typeof Observation>;

/** What a turn acted on, so that a later observation can be matched to it. A union by kind. */
export const TurnSubject = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('commit_message'),
    repositoryRoot: z.string(),
    /** `git write-tree` of the index at the time of the proposal; null when it could not be had. */
    stagedTree: z.string().nullable(),
    diffSha256: z.string(),
    /** HEAD at the time; null in a repository without commits. */
    head: z.string().nullable(),
    /** The commit that is to be amended, and the diff is that of what it becomes; null: a new commit is meant. */
    replaces: z.string().nullable().default(null),
  }),
  z.object({
    kind: z.literal('inline_edit'),
    /** The workspace folder, where the document lies in one. */
    repositoryRoot: z.string().nullable(),
    /** VS Code's language id. */
    language: z.string(),
    /** Of the document's URI: tells two edits of one document, and not where it lies. */
    documentSha256: z.string(),
  }),
  z.object({ kind: z.literal('chat') }),
]);
export type TurnSubject = z.infer<typeof TurnSubject>;

/** The repository or workspace that a subject belongs to; null where it has none. */
export function repositoryOf(subject: TurnSubject): string | null {
  return subject.kind === 'chat' ? null : subject.repositoryRoot;
}
