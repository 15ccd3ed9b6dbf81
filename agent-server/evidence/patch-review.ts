/** A reviewer's decision on a patch, with what they said of it. */
import type { PatchReviewObservation } from '../protocol/observations.ts';
import { sameTokens } from './plain-tokens.ts';
import { RANK, type Reading } from './reading.ts';
import { wordsOf } from './words.ts';

/**
 * Accepted: +1. Rejected: -1 with the comment. Edited: -1 with rewrite and comment, formatting alone is none. A
 * decision on one hunk gives its comment and no score: what the whole is worth is said when the review has ended.
 */
export function readPatchReview(review: PatchReviewObservation, proposal: string): Reading {
  const reading = (score: Reading['score'], detail: string, rewrite: string | null): Reading => ({
    source: 'patch_review',
    score,
    rank: RANK.patch_review,
    detail,
    rewrite,
    words: score === 1 ? null : wordsOf(review.comment),
  });
  if (review.hunk !== null) {
    const { index, count } = review.hunk;
    return reading(null, `Hunk ${index + 1} of ${count} ${review.decision} in review.`, null);
  }
  switch (review.decision) {
    case 'accepted':
      return reading(1, 'Accepted in review.', null);
    case 'rejected':
      return reading(-1, 'Rejected in review.', null);
    case 'edited': {
      const formatted = review.text !== null && sameTokens(review.text, proposal);
      return formatted
        ? reading(1, 'Accepted in review; only the formatting was changed.', null)
        : reading(-1, 'Edited in review.', review.text);
    }
  }
}
