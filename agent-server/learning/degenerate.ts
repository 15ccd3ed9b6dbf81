/**
 * Answers that must never train: empty, cut off, or caught in a loop. A score or a teacher on such tokens says
 * something of the accident and nothing of the task. The user's rewrite of such an answer is untouched by it.
 */

export interface AnsweredTokens {
  readonly responseIds: readonly number[];
  readonly text: string;
  readonly finishReason: 'stop' | 'length' | 'abort';
}

/** The longest block of tokens whose repetition is looked for. */
export const LONGEST_PERIOD = 32;
/** A block that stands this often in a row, over this many tokens and this share of the answer, is a loop. */
export const LOOP_REPEATS = 4;
export const LOOP_TOKENS = 24;
export const LOOP_SHARE = 1 / 3;
/** A loop that counts, or changes a word each time, repeats no block: but few of its n-grams are new. */
export const NGRAM = 4;
export const NGRAM_TOKENS = 64;
export const MIN_DISTINCT_NGRAMS = 0.4;

/** Why an answer is degenerate, for a person; null when it is not. */
export function degenerateReason({ responseIds, text, finishReason }: AnsweredTokens): string | null {
  if (responseIds.length === 0 || text.trim() === '') return 'The answer is empty.';
  if (finishReason !== 'stop') return 'The answer was cut off before its end.';
  if (repeatsBlock(responseIds)) return 'The answer repeats itself in a loop.';
  if (responseIds.length >= NGRAM_TOKENS && distinctNgrams(responseIds) < MIN_DISTINCT_NGRAMS)
    return 'The answer says the same again and again.';
  return null;
}

function repeatsBlock(ids: readonly number[]): boolean {
  for (let period = 1; period <= LONGEST_PERIOD; period += 1) {
    const least = Math.max(LOOP_REPEATS * period, LOOP_TOKENS, LOOP_SHARE * ids.length);
    let run = period;
    for (let i = period; i < ids.length; i += 1) {
      run = ids[i] === ids[i - period] ? run + 1 : period;
      if (run >= least) return true;
    }
  }
  return false;
}

/** Share of the n-grams of tokens that are the first of their kind. */
function distinctNgrams(ids: readonly number[]): number {
  const grams = Array.from({ length: ids.length - NGRAM + 1 }, (_, i) => ids.slice(i, i + NGRAM).join(' '));
  return new Set(grams).size / grams.length;
}
