/** Vitest's text reporters (default, verbose), versions 1 to 5. Its JSON is jest-json.ts's. */
import {
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestCounts,
  type TestReport,
  testReport,
} from '../test-report.ts';
import { indentOf, type ToolOutput } from '../tool-output.ts';
import { locationFrom, messageFrom, PATH_SEPARATOR, SuitePath, withoutDuration } from './names.ts';

/** ` Test Files  1 failed (1)` and `      Tests  3 failed | 2 passed | 1 skipped (6)`. */
const TOTALS = /^\s*Tests\s+(?:no tests|\d+ (?:failed|passed|skipped|todo|expected fail)\b.*)$/;
const COUNT = /(\d+) (failed|passed|skipped|todo|expected fail)/g;
const FILE = /^\s*[✓❯×↓]\s+(?:\|[^|]*\|\s+)?(\S+)\s+\(\d+ tests?\b/;
const TEST = /^\s*([✓×↓❯])\s+(.*)$/;
const FAILED = /^\s*FAIL\s+(?:\|[^|]*\|\s+)?(.*)$/;
const RULE = /^\s*⎯{3,}/;

export function readVitest({ lines, text }: ToolOutput): TestReport | null {
  if (!/^ *Tests +\S/m.test(text)) return null;
  let totals: TestCounts | null = null;
  const cases = new Map<string, TestCase>();
  const broken: string[] = [];
  const path = new SuitePath();
  let details = false;
  for (const [at, line] of lines.entries()) {
    if (TOTALS.test(line)) totals = addTotals(totals, line);
    if (RULE.test(line)) {
      details = true;
      if (line.includes('Unhandled')) broken.push(messageFrom(lines, at + 1, 3, isRule) ?? 'Unhandled error');
      continue;
    }
    const failed = FAILED.exec(line)?.[1]?.trim();
    if (failed !== undefined) readFailure(failed, lines, at, { cases, broken });
    else if (!details) readTree(line, path, cases);
    else if (FILE.test(line)) details = false;
  }
  if (totals === null) return null;
  return testReport('vitest', [...cases.values()], totals, broken);
}

const isRule = (line: string): boolean => RULE.test(line);

function addTotals(sum: TestCounts | null, line: string): TestCounts {
  const totals = { passed: sum?.passed ?? 0, failed: sum?.failed ?? 0, skipped: sum?.skipped ?? 0 };
  for (const [, count, what] of line.matchAll(COUNT)) {
    if (what === 'failed') totals.failed += Number(count);
    else if (what === 'passed' || what === 'expected fail') totals.passed += Number(count);
    else totals.skipped += Number(count);
  }
  return totals;
}

/** ` FAIL  file > suite > name`, then the error; ` FAIL  file [ file ]` when the file never ran. */
function readFailure(
  heading: string,
  lines: readonly string[],
  at: number,
  found: { cases: Map<string, TestCase>; broken: string[] },
): void {
  const message = messageFrom(lines, at + 1, 1, isRule);
  if (!heading.includes(PATH_SEPARATOR)) {
    found.broken.push(`${heading.split(' [')[0] ?? heading}: ${message ?? 'did not run'}`);
    return;
  }
  found.cases.set(heading, failedCase(heading, message, locationFrom(lines, at + 1, isRule)));
}

/** A line of the tree: `✓ file > suite > name 2ms`, or names told apart by indentation. */
function readTree(line: string, path: SuitePath, cases: Map<string, TestCase>): void {
  const indent = indentOf(line);
  const file = FILE.exec(line)?.[1];
  if (file !== undefined) {
    path.enter(indent, file);
    return;
  }
  const [, mark, rest = ''] = TEST.exec(line) ?? [];
  if (mark === undefined) return;
  if (/ \(\d+\)$/.test(rest) || mark === '❯') {
    path.enter(indent, rest.replace(/ \(\d+\)$/, '').trim());
    return;
  }
  const name = path.nameOf(indent, withoutDuration(rest));
  if (cases.has(name)) return;
  if (mark === '✓') cases.set(name, passedCase(name));
  else if (mark === '↓') cases.set(name, skippedCase(name));
  else cases.set(name, failedCase(name, null, null));
}
