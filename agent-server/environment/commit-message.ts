/**
 * The request for a commit message: a staged diff as chat messages within a token budget. Pure. Asking the
 * model and reading what was committed are left to the callers (the editor's command and the replay).
 */
import { createHash } from 'node:crypto';
import type { PlainMessage } from '../protocol/gateway.ts';
import { type DiffFile, diffFiles } from './diff-files.ts';

export { WITHHELD } from './diff-files.ts';

/** Tokens that the file list and the cut diff may take together; the wording around them is some 50 more. */
export const DIFF_BUDGET_TOKENS = 220;

/** The loop explores at 0.7; `greedy` is for comparing versions, where chance must not decide. */
export const COMMIT_MESSAGE_SAMPLING = {
  explore: { max_new_tokens: 64, temperature: 0.7 },
  greedy: { max_new_tokens: 64, temperature: 0 },
} as const;

/** A line longer than this says no more about the change; minified text would eat the whole budget. */
const MAX_LINE_CHARS = 160;
const MAX_LISTED_FILES = 10;
/** The file list may take this part of the budget, so that some of the change itself is always seen. */
const LIST_SHARE = 0.4;

/**
 * sha256 (hex) of a diff, by which a commit is known again as the staged change that was proposed for. Lines
 * `index a..b` are left out: git abbreviates object names by the size of the repository.
 */
export function diffSha256(diff: string): string {
  const lines = diff
    .split('\n')
    .filter((line) => !/^index [0-9a-f]+(,[0-9a-f]+)*\.\.[0-9a-f]+( \d+)?$/.test(line));
  return createHash('sha256').update(lines.join('\n').trimEnd()).digest('hex');
}

/**
 * The messages that ask for the commit message of a staged diff. Kept short: a model of 135M parameters
 * follows the form it was trained on, not a page of rules, and each prompt token costs time on a CPU.
 * `countTokens` counts one text without special tokens.
 */
export function commitMessageMessages(
  diff: string,
  budgetTokens: number,
  countTokens: (text: string) => number,
): PlainMessage[] {
  const files = diffFiles(diff);
  const list = fileList(files, Math.floor(budgetTokens * LIST_SHARE), countTokens);
  const body = cutDiff(files, budgetTokens - countTokens(list), countTokens);
  const change = [list, body].filter((part) => part !== '').join('\n\n');
  return [
    { role: 'system', content: 'You write git commit messages.' },
    { role: 'user', content: `Write the commit message for this change.\n\n${change}` },
  ];
}

function fileList(
  files: readonly DiffFile[],
  budgetTokens: number,
  countTokens: (text: string) => number,
): string {
  const lines: string[] = [];
  let left = budgetTokens;
  for (const file of files.slice(0, MAX_LISTED_FILES)) {
    const line = describe(file).slice(0, MAX_LINE_CHARS);
    const tokens = countTokens(`${line}\n`);
    if (tokens > left && lines.length > 0) break;
    lines.push(line);
    left -= tokens;
  }
  const more = files.length - lines.length;
  return more > 0
    ? [...lines, `and ${more} more ${more === 1 ? 'file' : 'files'}`].join('\n')
    : lines.join('\n');
}

function describe(file: DiffFile): string {
  const verb = file.status === 'modified' ? '' : ` ${file.status}`;
  if (file.content === 'binary') return `${file.path}${verb} (binary)`;
  if (file.content === 'withheld') return `${file.path}${verb} (content not shown)`;
  return `${file.path}${verb} +${file.added} -${file.removed}${file.content === 'generated' ? ' (generated)' : ''}`;
}

/** Budget is shared by water-filling: what a small file leaves over goes to the larger ones. */
function cutDiff(
  files: readonly DiffFile[],
  budgetTokens: number,
  countTokens: (text: string) => number,
): string {
  const texts = files
    .filter((file) => file.content === 'text' && file.lines.length > 0)
    .slice(0, MAX_LISTED_FILES)
    .map((file, order) => {
      // A line costs at least one token, so lines beyond the budget can never be shown.
      const lines = [file.path, ...file.lines.slice(0, budgetTokens)].map((line) =>
        line.slice(0, MAX_LINE_CHARS),
      );
      const costs = lines.map((line) => countTokens(`${line}\n`));
      return { order, lines, costs, wanted: costs.reduce((sum, cost) => sum + cost, 0) };
    });
  let left = budgetTokens;
  const shown: { order: number; text: string }[] = [];
  for (const [index, file] of texts.toSorted((a, b) => a.wanted - b.wanted).entries()) {
    const share = Math.floor(left / (texts.length - index));
    const kept = take(file.lines, file.costs, share);
    left -= kept.tokens;
    // A path alone is in the list already.
    if (kept.lines.length > 1) shown.push({ order: file.order, text: kept.lines.join('\n') });
  }
  return shown
    .toSorted((a, b) => a.order - b.order)
    .map((file) => file.text)
    .join('\n');
}

function take(lines: readonly string[], costs: readonly number[], budgetTokens: number) {
  let tokens = 0;
  let count = 0;
  for (const cost of costs) {
    if (tokens + cost > budgetTokens) break;
    tokens += cost;
    count++;
  }
  return { tokens, lines: count < lines.length ? [...lines.slice(0, count), '...'] : lines.slice(0, count) };
}
