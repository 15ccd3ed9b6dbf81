/** How long the loops wait for what. SPEC.md quotes these by id. */
import type { GitObservation, NextStateKind, Observation } from '../protocol/observations.ts';

export type NextStateObservation = Extract<Observation, { kind: NextStateKind }>;

/**
 * SETTLE-5: how long a turn waits, after a next state of a kind, for a better one before it is read. What a user
 * says or does for good is the best there is; what programs say may still be followed by it. The first next state
 * sets the end of the wait: a better one may come sooner, none puts it off.
 */
const WINDOW_MS = {
  thumb: 0,
  patch_review: 0,
  git: 0,
  commit: 0,
  user_edit: 0,
  test_run: 10_000,
  diagnostics: 10_000,
  task: 10_000,
  terminal: 10_000,
  tool_result: 10_000,
  user_reply: 0,
  screen: 10_000,
} as const satisfies Record<NextStateKind, number>;

/** The first look at an edit finds the user in the middle of it; the next one is five minutes after the answer. */
const FIRST_LOOK_WINDOW_MS = 6 * 60 * 1000;

/** A decision on one hunk: the review goes on. */
const REVIEW_WINDOW_MS = 10 * 60 * 1000;

/** What is put aside or brought in by these is looked at again when it is back. */
const ASIDE: ReadonlySet<GitObservation['action']> = new Set(['stash', 'switch', 'merge']);

/** How long a turn may wait after this next state. */
export function settleWindowMs(observation: NextStateObservation): number {
  if (observation.kind === 'user_edit' && observation.moment === '30s') return FIRST_LOOK_WINDOW_MS;
  if (observation.kind === 'git' && ASIDE.has(observation.action)) return FIRST_LOOK_WINDOW_MS;
  if (observation.kind === 'patch_review' && observation.hunk !== null) return REVIEW_WINDOW_MS;
  return WINDOW_MS[observation.kind];
}

/** SETTLE-3: a proposal that nothing followed for a day gets no score. */
export const PROPOSAL_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** How often expired proposals are looked for. */
export const EXPIRY_CHECK_MS = 10 * 60 * 1000;

/** Nothing waits longer for the judge than this; a later due time is one from before the clock was put back. */
export const LONGEST_JUDGE_WAIT_MS = 60 * 60 * 1000;

/** Turns that expire in one transaction; the rest follow in the next. */
export const MAX_EXPIRED = 500;

/** Proposals of one repository that a commit is compared with. */
export const MAX_CANDIDATES = 50;

/**
 * SETTLE-9: a judge that cannot be had is asked again after 15 s, 30 s, ... 16 min, some half hour in all; then the
 * turn is settled without votes.
 */
export const JUDGE_PATIENCE = { firstWaitMs: 15_000, maxAttempts: 8 } as const;

/** Turns of a session whose next states a reading looks back on. */
export const CONTEXT_TURNS = 20;
