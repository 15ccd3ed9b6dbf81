/** How long the loops wait for what. SPEC.md quotes these by id. */

/** SETTLE-1: a commit is the user's final wording; its turn is judged at once. */
export const COMMIT_WINDOW_MS = 0;

/** SETTLE-2: a thumb is an answer in itself; its turn is judged at once. */
export const THUMB_WINDOW_MS = 0;

/** SETTLE-3: a proposal that nothing followed for a day gets no score. */
export const PROPOSAL_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** How often expired proposals are looked for. */
export const EXPIRY_CHECK_MS = 10 * 60 * 1000;

/** Proposals of one repository that a commit is compared with. */
export const MAX_CANDIDATES = 50;
