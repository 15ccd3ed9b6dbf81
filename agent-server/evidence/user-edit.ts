/** An answer, or what it did to files, as the user left it, read against what the turn answered. */
import type { UserEditObservation } from '../protocol/observations.ts';
import { readCommittedEdits } from './committed-edits.ts';
import type { ObservationContext } from './context.ts';
import { sameTokens } from './plain-tokens.ts';
import { RANK, type Reading } from './reading.ts';

/** Moments at which the user is done with an answer: only then is an unchanged text one that was accepted. */
const LAST: ReadonlySet<UserEditObservation['moment']> = new Set(['commit', 'final']);
/** Where only the share of surviving lines is known: from here on it was kept, below GONE it was not. */
const KEPT = 0.9;
const GONE = 0.5;

/** Left as it was, but for its formatting: +1 once the user is done with it. Changed: -1, with the rewrite. */
export function readUserEdit(
  edit: UserEditObservation,
  proposal: string,
  { answer, edits }: Pick<ObservationContext, 'answer' | 'edits'>,
): Reading {
  const reading = (
    score: Reading['score'],
    detail: string,
    rewrite: string | null,
    words: string | null = null,
  ): Reading => ({ source: 'user_edit', score, rank: RANK.user_edit, detail, rewrite, words });
  const { moment, text, survival } = edit;
  const same = text !== null && sameTokens(text, proposal);
  if (moment === 'rejected' || moment === 'reverted') {
    return reading(-1, `The user ${moment} it.`, same ? null : text);
  }
  if (text !== null && !same) return reading(-1, 'The user changed it.', text);
  const done = LAST.has(moment);
  if (text !== null) {
    if (!done) return reading(null, 'Unchanged so far.', null);
    const exact = text.trim() === proposal.trim();
    return reading(1, exact ? 'The user left it as it was.' : 'The user changed only its formatting.', null);
  }
  const made = readCommittedEdits(edit.edits, edits, answer, proposal);
  if (made.rewrite !== null)
    return reading(-1, 'The user changed it before committing it.', made.rewrite, made.words);
  if (made.isKept) return reading(1, 'Committed as it was, but for its formatting.', null);
  if (survival === null) return reading(null, 'What became of it is not known.', null);
  const percent = `${Math.round(survival * 100)} % of its lines are still there.`;
  if (survival < GONE) return reading(-1, percent, null, made.words);
  if (!done) return reading(null, percent, null);
  return reading(survival >= KEPT ? 1 : 0, percent, null, made.words);
}
