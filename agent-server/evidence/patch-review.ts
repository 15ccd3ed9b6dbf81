/** A reviewer's decision on a patch, with what they said of it. */
import type { PatchReviewObservation } from '../protocol/observations.ts';
import type { ObservedToolCall } from './context.ts';
import { withWritten, writtenBy } from './edited-call.ts';
import { sameTokens } from './plain-tokens.ts';
import { RANK, type Reading } from './reading.ts';
import { wordsOf } from './words.ts';

/**
 * Accepted: +1. Rejected: -1 with the comment. Edited: -1 with rewrite and comment, formatting alone is none. A
 * decision on one hunk gives its comment and no score: what the whole is worth is said when the review has ended. Where
 * a call made the patch, the rewrite is the answer with that call rewritten. `toolCalls`: those of the session.
 */
export function readPatchReview(
  review: PatchReviewObservation,
  proposal: string,
  toolCalls: readonly ObservedToolCall[],
): Reading {
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
      const call = toolCalls.findLast(({ callId }) => callId === review.callId);
      const proposed = call === undefined ? proposal : writtenBy(call);
      const { text } = review;
      if (text !== null && proposed !== null && sameTokens(text, proposed))
        return reading(1, 'Accepted in review; only the formatting was changed.', null);
      if (text === null || review.callId === null) return reading(-1, 'Edited in review.', text);
      const rewrite = call === undefined ? null : withWritten(proposal, call, text);
      return reading(-1, 'Edited in review.', rewrite);
    }
  }
}
