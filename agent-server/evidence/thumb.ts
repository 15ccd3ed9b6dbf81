/** Thumbs: the user's own verdict on a proposal. */
import type { ThumbObservation } from '../protocol/observations.ts';
import { RANK, type Reading } from './reading.ts';

/** Up is +1, down is -1; a thumb brings no words. */
export function readThumb(thumb: ThumbObservation): Reading {
  const detail = thumb.value === 1 ? 'Thumb up.' : 'Thumb down.';
  return { source: 'thumb', score: thumb.value, rank: RANK.thumb, detail, rewrite: null, words: null };
}
