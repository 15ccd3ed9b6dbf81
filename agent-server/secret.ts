/** Comparison of secrets: neither its time nor the length of what was given tells how much was right. */
import { createHash, timingSafeEqual } from 'node:crypto';

export function sameSecret(given: string, wanted: string): boolean {
  // Digests have one length, which timingSafeEqual wants.
  return timingSafeEqual(digest(given), digest(wanted));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
