/**
 * The kinds of secrets that secretlint's recommended rules know, found in a text. A bundle of its own, loaded with the
 * first text that is captured. Ours are in patterns.ts.
 */
import { lintSource } from '@secretlint/core';
import { secretLintProfiler } from '@secretlint/profiler';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';

// It would note every run in the process's performance timeline, which nobody here reads or clears.
secretLintProfiler.setEnabled(false);

const PRESET = '@secretlint/secretlint-rule-preset-recommend';

/** Where in the text secrets stand: start and end, in UTF-16 units, in order; they may overlap. */
export async function findSecrets(text: string): Promise<(readonly [start: number, end: number])[]> {
  const { messages } = await lintSource({
    source: { filePath: 'captured.txt', ext: '.txt', contentType: 'text', content: text },
    options: { config: { rules: [{ id: PRESET, rule: creator, rules: [] }] }, noPhysicFilePath: true },
  });
  return messages.map(({ range }) => [range[0], range[1]] as const).toSorted(([a], [b]) => a - b);
}
