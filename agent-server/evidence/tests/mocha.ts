/** Mocha's spec reporter, and every other that ends with the epilogue (`2 passing`, numbered failures). */
import {
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestReport,
  testReport,
} from '../test-report.ts';
import { indentOf, type ToolOutput } from '../tool-output.ts';
import { locationFrom, messageFrom, PATH_SEPARATOR, SuitePath, withoutDuration } from './names.ts';

const TOTAL = /^\s+(\d+) (passing|failing|pending)(?: \([\d.]+\s?m?s\))?$/;
const FAILURE = /^ {2}(\d+)\) (.*)$/;
const NEXT = /^ {2}\d+\) /;

export function readMocha({ lines, text }: ToolOutput): TestReport | null {
  if (!text.includes(' passing')) return null;
  const counts = new Map<string, number>();
  const cases: TestCase[] = [];
  const path = new SuitePath();
  for (const [at, line] of lines.entries()) {
    const [, count, what] = TOTAL.exec(line) ?? [];
    if (what !== undefined) counts.set(what, (counts.get(what) ?? 0) + Number(count));
    else if (!counts.has('passing')) readTree(line, path, cases);
    else if (FAILURE.test(line)) cases.push(readFailure(lines, at));
  }
  if (!counts.has('passing')) return null;
  const totals = {
    passed: counts.get('passing') ?? 0,
    failed: counts.get('failing') ?? 0,
    skipped: counts.get('pending') ?? 0,
  };
  return testReport('mocha', cases, totals, []);
}

/** Passing and pending tests; the failing ones come again, with their errors, after the totals. */
function readTree(line: string, path: SuitePath, cases: TestCase[]): void {
  const text = line.trim();
  if (text === '') return;
  const indent = indentOf(line);
  if (/^[✔✓√] /.test(text)) cases.push(passedCase(path.nameOf(indent, withoutDuration(text.slice(2)))));
  else if (text.startsWith('- ')) cases.push(skippedCase(path.nameOf(indent, text.slice(2).trim())));
  else if (!/^\d+\) /.test(text) && indent > 0) path.enter(indent, text);
}

/** `1) suite`, deeper lines for inner suites, the title with a colon at its end; then the error. */
function readFailure(lines: readonly string[], at: number): TestCase {
  const titles = [FAILURE.exec(lines[at] ?? '')?.[2]?.trim() ?? ''];
  let below = at + 1;
  while (below < at + 20 && !(titles.at(-1) ?? '').endsWith(':') && (lines[below] ?? '').trim() !== '') {
    titles.push((lines[below] ?? '').trim());
    below++;
  }
  const name = titles.join(PATH_SEPARATOR).replace(/:$/, '');
  const next = (line: string): boolean => NEXT.test(line);
  const message = messageFrom(lines, below, 3, (line) => next(line) || /^\s+(?:at |\+ expected)/.test(line));
  return failedCase(name, message, locationFrom(lines, below, next));
}
