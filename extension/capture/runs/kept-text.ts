/** What is kept of a text that a program printed: without secrets, and within a budget. Pure. */
import { cutPatterns } from '../scrub/patterns.ts';
import type { Scrub } from '../scrub/scrub.ts';

/** Two of them (now and before) go with an observation, and 200 observations wait at most. */
export const MAX_KEPT_CHARS = 32_768;

/**
 * A longer text is cut down to this before secrets are looked for, which takes time. What a secret loses at that cut lies
 * in the middle, and goes with it.
 */
const MAX_SCRUBBED_CHARS = 262_144;

/** Scrubbed, then cut: a cut could leave a part of a secret that no rule knows. */
export async function keptOutput(
  text: string,
  scrub: Scrub,
  maxChars: number = MAX_KEPT_CHARS,
): Promise<string> {
  return cutMiddle(await scrub(cutMiddle(text, MAX_SCRUBBED_CHARS)), maxChars);
}

/** Of a short text that is at once wanted; the rest of its secrets go when it is reported. Secrets go first: a cut could leave a part of one that no rule knows. */
export function keptText(text: string, maxChars: number = MAX_KEPT_CHARS): string {
  return cutMiddle(cutPatterns(text), maxChars);
}

/** At most `maxChars` of it, from both ends and in whole lines where they are not too long: totals stand at the end. */
export function cutMiddle(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const mark = `\n[${text.length - maxChars} characters or more left out]\n`;
  const half = Math.floor((maxChars - mark.length) / 2);
  if (half <= 0) return text.slice(0, maxChars);
  const [head, tail] = [text.slice(0, half), text.slice(-half)];
  const [headEnd, tailStart] = [head.lastIndexOf('\n'), tail.indexOf('\n') + 1];
  return `${headEnd > half / 2 ? head.slice(0, headEnd) : head}${mark}${tailStart < half / 2 ? tail.slice(tailStart) : tail}`;
}
