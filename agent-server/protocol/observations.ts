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

export const ThumbObservation = z.object({
  kind: z.literal('thumb'),
  ...common,
  turnId: TurnId,
  value: z.union([z.literal(1), z.literal(-1)]),
});
export type ThumbObservation = z.infer<typeof ThumbObservation>;

/** Not a next state: the proposal went away without one, so the turn gets no score. */
export const ProposalClosedObservation = z.object({
  kind: z.literal('proposal_closed'),
  ...common,
  turnId: TurnId,
  reason: z.enum(['cleared', 'overwritten']),
});
export type ProposalClosedObservation = z.infer<typeof ProposalClosedObservation>;

export const Observation = z.discriminatedUnion('kind', [
  CommitObservation,
  ThumbObservation,
  ProposalClosedObservation,
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
  }),
  z.object({ kind: z.literal('chat') }),
]);
export type TurnSubject = z.infer<typeof TurnSubject>;
