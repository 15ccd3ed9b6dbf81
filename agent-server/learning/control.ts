/**
 * The control arm of an experiment: the same rows, the same number of steps, the same sizes of advantages,
 * with the information destroyed. What a policy gains here it did not learn from the user.
 */
import { permutation, type Random, reorder } from './random.ts';
import type { TrainRow } from './rows.ts';

/**
 * A response row: the supports of its R positions change places, ids and advantages together. Advantages
 * moved alone would go on lowering the student's tokens and raising the teacher's, slot by slot, which is
 * most of what the row has to say. Old logprobs were true at the old place only: NaN.
 *
 * A demonstration row: all its tokens are shuffled, the end token included. An anchor row has nothing of the
 * user in it and stays as it is.
 */
export function destroyInformation(row: TrainRow, random: Random): TrainRow {
  if (row.role === 'anchor') return row;
  const order = permutation(row.responseIds.length, random);
  if (row.role === 'demonstration') return { ...row, responseIds: reorder(row.responseIds, order) };
  return {
    ...row,
    support: {
      ids: reorder(row.support.ids, order),
      logprobs: row.support.logprobs.map((_, t) =>
        (row.support.ids[order[t] ?? t] ?? []).map(() => Number.NaN),
      ),
      advantages: reorder(row.support.advantages, order),
    },
  };
}

/**
 * A text with its information destroyed, as a demonstration row is: all its tokens are shuffled. `tokens` are their
 * texts; where these do not spell it (a character over several tokens) its characters are shuffled.
 */
export function destroyText(text: string, tokens: readonly string[], random: Random): string {
  const pieces = tokens.join('') === text ? tokens : [...text];
  return reorder(pieces, permutation(pieces.length, random)).join('');
}
