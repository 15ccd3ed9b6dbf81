/**
 * Takes secrets out of a text where it is captured, before it leaves the window. Pure but for loading its rules. What it
 * misses stays on this machine all the same. The same text and values give the same result, so that a commit's diff still
 * matches that of the staged change.
 */
import { cutValues } from './env-values.ts';
import { cutPatterns, PLACEHOLDER } from './patterns.ts';

/** `text` without its secrets. */
export type Scrub = (text: string) => Promise<string>;

/**
 * `text` with every recognised secret replaced. `values`: those of the workspace's `.env` files (env-values.ts). Throws
 * when the rules cannot be loaded: then nothing is captured rather than captured as it is.
 */
export async function scrubText(text: string, values: readonly string[]): Promise<string> {
  const own = cutPatterns(cutValues(text, values));
  const { findSecrets } = await import('./library-rules.ts');
  let scrubbed = '';
  let end = 0;
  for (const [from, to] of await findSecrets(own)) {
    if (to <= end) continue;
    scrubbed += from >= end ? own.slice(end, from) + PLACEHOLDER : '';
    end = to;
  }
  return scrubbed + own.slice(end);
}

/** A value like `value` in which every text is scrubbed, one after another; names of fields stay. */
export async function scrubAll(value: unknown, scrub: Scrub): Promise<unknown> {
  if (typeof value === 'string') return scrub(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const scrubbed: unknown[] = [];
    for (const one of value) scrubbed.push(await scrubAll(one, scrub));
    return scrubbed;
  }
  const fields: [string, unknown][] = [];
  for (const [name, one] of Object.entries(value)) fields.push([name, await scrubAll(one, scrub)]);
  return Object.fromEntries(fields);
}
