/** Hints in words: what a program said, in one or two sentences of bounded length. */
import type { Diagnostic } from '../protocol/observations.ts';
import type { TestCase } from './test-report.ts';

/** Long enough for an assertion with both values, short enough to stand in a prompt. */
export const MAX_WORDS_CHARS = 300;
const MAX_NAME_CHARS = 120;

/** One line, at most `maxChars` long. */
export function oneLine(text: string, maxChars: number): string {
  const flat = text
    .slice(0, 4 * maxChars)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return flat.length <= maxChars ? flat : `${flat.slice(0, maxChars - 1).trimEnd()}…`;
}

/** Null when nothing is said. */
export function wordsOf(text: string | null): string | null {
  const words = oneLine(text ?? '', MAX_WORDS_CHARS);
  return words === '' ? null : words;
}

export function failureWords(failure: TestCase): string {
  const name = oneLine(failure.name, MAX_NAME_CHARS);
  const place = failure.location === null ? '' : ` (${oneLine(failure.location, MAX_NAME_CHARS)})`;
  const said = oneLine(failure.message ?? '', MAX_WORDS_CHARS - name.length - place.length - 20);
  return oneLine(`The test "${name}" fails${place}${said === '' ? '.' : `: ${said}`}`, MAX_WORDS_CHARS);
}

export function problemWords(problem: Diagnostic): string {
  const line = problem.line === null ? '' : `:${problem.line}`;
  const place = problem.path === '' ? '' : `${problem.path}${line}: `;
  const code = problem.code === null ? '' : ` (${problem.code})`;
  return oneLine(`${place}${problem.message}${code}`, MAX_WORDS_CHARS);
}
