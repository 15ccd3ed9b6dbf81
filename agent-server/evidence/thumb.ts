/** Thumbs: the user's own verdict on a proposal. */
import type { ThumbObservation } from '../protocol/observations.ts';
import { RANK, type Reading } from './reading.ts';

const DETAILS = { 1: 'Thumb up.', 0: 'Neither up nor down.', [-1]: 'Thumb down.' } as const;

/** Up is +1, down is -1, neither 0; how it should have been, only where the user says so. */
export function readThumb({ value, rewrite, words }: ThumbObservation): Reading {
  return { source: 'thumb', score: value, rank: RANK.thumb, detail: DETAILS[value], rewrite, words };
}
