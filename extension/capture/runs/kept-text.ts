/** What is kept of a text that a program printed: without secrets, and within a budget. Pure. */
import { cutPatterns } from '../scrub/patterns.ts';

/** Two of them (now and before) go with an observation, and 200 observations wait at most. */
export const MAX_KEPT_CHARS = 32_768;

/** Secrets go first: a cut could leave a part of one that no rule knows. */
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
