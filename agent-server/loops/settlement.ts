/** How long the loops wait for what. SPEC.md quotes these by id. */
import type { NextStateKind } from '../protocol/observations.ts';

/**
 * How long a turn waits, after a next state of a kind, for a better one before it is judged. What a user says or
 * does for good is the best there is; what programs say may still be followed by it.
 */
export const SETTLE_WINDOW_MS = {
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

/** SETTLE-3: a proposal that nothing followed for a day gets no score. */
export const PROPOSAL_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** How often expired proposals are looked for. */
export const EXPIRY_CHECK_MS = 10 * 60 * 1000;

/** Proposals of one repository that a commit is compared with. */
export const MAX_CANDIDATES = 50;
