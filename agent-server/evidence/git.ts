/** What git did to the files that a turn changed. */
import type { GitObservation } from '../protocol/observations.ts';
import { RANK, type Reading } from './reading.ts';

/** Below this share of the turn's lines its work is gone. */
const GONE = 0.5;

/**
 * Reverted, or checked out over: -1. A reset throws work away only where its lines are gone; stash, switch and
 * merge put work aside or bring other work in, and say nothing of it.
 */
export function readGit({ action, survival }: GitObservation): Reading {
  const reading = (score: Reading['score'], detail: string): Reading => ({
    source: 'git',
    score,
    rank: RANK.git,
    detail,
    rewrite: null,
    words: null,
  });
  switch (action) {
    case 'stash':
    case 'switch':
    case 'merge':
      return reading(null, `git ${action} says nothing of the change.`);
    case 'reset':
      return survival !== null && survival < GONE
        ? reading(-1, 'The change was reset.')
        : reading(null, 'A reset; the change is still there, or it is not known.');
    case 'revert':
    case 'checkout_file':
      return survival !== null && survival >= GONE
        ? reading(null, 'Most of the change is still there.')
        : reading(-1, action === 'revert' ? 'The change was reverted.' : 'The file was checked out again.');
  }
}
