/** An answer as the user left it, read against what the turn answered. */
import type { UserEditObservation } from '../protocol/observations.ts';
import { RANK, type Reading } from './reading.ts';

/** Moments at which the user is done with an answer: only then is an unchanged text one that was accepted. */
const LAST: ReadonlySet<UserEditObservation['moment']> = new Set(['commit', 'final']);

/** Left as it was: +1 once the user is done with it. Changed: -1, and the changed text is the rewrite. */
export function readUserEdit(edit: UserEditObservation, proposal: string): Reading {
  const reading = (score: Reading['score'], detail: string, rewrite: string | null): Reading => ({
    source: 'user_edit',
    score,
    rank: RANK.user_edit,
    detail,
    rewrite,
    words: null,
  });
  if (edit.moment === 'rejected' || edit.moment === 'reverted')
    return reading(-1, `The user ${edit.moment} it.`, edit.text);
  if (edit.text === null) return reading(null, 'What became of it is not known.', null);
  if (edit.text.trim() !== proposal.trim()) return reading(-1, 'The user changed it.', edit.text);
  return LAST.has(edit.moment)
    ? reading(1, 'The user left it as it was.', null)
    : reading(null, 'Unchanged so far.', null);
}
