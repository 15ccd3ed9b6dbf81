/** A commit read against the message that was proposed for it. */
import type { CommitAction, CommitObservation } from '../protocol/observations.ts';
import { cleanMessage } from './commit-message.ts';
import { RANK, type Reading } from './reading.ts';

/** Why a commit that git worded, or that bundles others, says nothing about the proposal. */
const UNSCORED: Readonly<Partial<Record<CommitAction, string>>> = {
  squash: 'Squashed with other commits: the message speaks of more than the proposal did.',
  merge: 'A merge: git worded the message.',
  rebase: 'Replayed by a rebase: not a new wording.',
  'cherry-pick': 'Cherry-picked: the message was written for another commit.',
  revert: 'A revert: git worded the message.',
  other: 'It is not known how the commit was made.',
};

/** Worded by `git commit --fixup` and its like for a later autosquash, or by `git merge --squash`. */
const GIT_WORDED = /^(?:(?:fixup|squash|amend)! |Squashed commit of the following:)/;

/**
 * Committed as proposed, after trimming: +1. Committed with another message: -1, and that message is the
 * rewrite. An amend is the user's later wording and reads the same way. A message left empty says nothing.
 */
export function readCommit(commit: CommitObservation, proposal: string): Reading {
  const reading = (score: Reading['score'], detail: string, rewrite: string | null): Reading => ({
    source: 'commit',
    score,
    rank: RANK.commit,
    detail,
    rewrite,
    words: null,
  });
  const unscored = UNSCORED[commit.action];
  if (unscored !== undefined) return reading(null, unscored, null);
  const committed = cleanMessage(commit.message);
  const verb = commit.action === 'amend' ? 'Amended' : 'Committed';
  if (committed === '') return reading(null, `${verb} without a message.`, null);
  if (GIT_WORDED.test(committed)) return reading(null, `${verb} with a message that git worded.`, null);
  if (committed === cleanMessage(proposal)) return reading(1, `${verb} as proposed.`, null);
  return reading(-1, `${verb} with another message.`, committed);
}
