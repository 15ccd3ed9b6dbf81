/**
 * Takes secrets out of a text where it is captured, before it leaves the window. Pure but for loading its rules. What it
 * misses stays on this machine all the same. The same text and values give the same result, so that a commit's diff still
 * matches that of the staged change.
 */
import { cutValues } from './env-values.ts';
import { cutPatterns, PLACEHOLDER } from './patterns.ts';

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
