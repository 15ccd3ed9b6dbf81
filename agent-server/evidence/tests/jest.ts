/** Jest's text reporters. Its JSON is jest-json.ts's. */
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

const TOTALS = /^Tests:\s.*\b\d+ total$/;
const COUNT = /(\d+) (failed|passed|skipped|todo)/g;
const FILE = /^(?:PASS|FAIL) (?:.* )?(\S+\.\S+)(?: \([\d.]+ m?s\))?$/;
const TEST = /^(\s+)([✓✕○✎√×]) (?:skipped |todo )?(.*)$/;
const HEADING = /^ {2}● (.*)$/;
const NEVER_RAN = 'Test suite failed to run';
/** A code frame, a stack or the next heading end what an assertion says. */
const END = /^\s*(?:>?\s*\d+ \||at |● )|^(?:PASS|FAIL|Tests:) /;
const NEXT = /^ {2}● |^(?:PASS|FAIL|Tests:|Test Suites:)/;

export function readJest({ lines, text }: ToolOutput): TestReport | null {
  if (!text.includes('\nTests:') && !text.startsWith('Tests:')) return null;
  let totals: TestCounts | null = null;
  const cases = new Map<string, TestCase>();
  const broken = new Set<string>();
  const path = new SuitePath();
  let file = '';
  for (const [at, line] of lines.entries()) {
    if (TOTALS.test(line)) totals = addTotals(totals, line);
    const found = FILE.exec(line)?.[1];
    if (found !== undefined) {
      file = found.replace(/^\.\//, '');
      path.enter(0, file);
      continue;
    }
    if (file === '') continue;
    const heading = HEADING.exec(line)?.[1]?.trim();
    if (heading === undefined) readTree(line, path, cases);
    else if (heading === NEVER_RAN) {
      broken.add(`${file}: ${messageFrom(lines, at + 1, 1, isEnd) ?? NEVER_RAN}`);
    } else if (heading.includes(' › ') || cases.has(`${file}${PATH_SEPARATOR}${heading}`)) {
      const name = [file, ...heading.split(' › ')].join(PATH_SEPARATOR);
      const message = messageFrom(lines, at + 1, 4, isEnd);
      cases.set(
        name,
        failedCase(
          name,
          message,
          locationFrom(lines, at + 1, (one) => NEXT.test(one)),
        ),
      );
    }
  }
  if (totals === null) return null;
  return testReport('jest', [...cases.values()], totals, [...broken]);
}

const isEnd = (line: string): boolean => END.test(line);

function addTotals(sum: TestCounts | null, line: string): TestCounts {
  const totals = { passed: sum?.passed ?? 0, failed: sum?.failed ?? 0, skipped: sum?.skipped ?? 0 };
  for (const [, count, what] of line.matchAll(COUNT)) {
    if (what === 'failed') totals.failed += Number(count);
    else if (what === 'passed') totals.passed += Number(count);
    else totals.skipped += Number(count);
  }
  return totals;
}

/** A line of `--verbose`: suites by indentation, tests by their mark. */
function readTree(line: string, path: SuitePath, cases: Map<string, TestCase>): void {
  const [, indent, mark, rest = ''] = TEST.exec(line) ?? [];
  if (indent === undefined) {
    if (/^ {2,}[^\s●]/.test(line) && !/^\s*\d+ \|/.test(line)) path.enter(indentOf(line), line.trim());
    return;
  }
  const name = path.nameOf(indent.length, withoutDuration(rest));
  if (cases.has(name)) return;
  if (mark === '✓' || mark === '√') cases.set(name, passedCase(name));
  else if (mark === '○' || mark === '✎') cases.set(name, skippedCase(name));
  else cases.set(name, failedCase(name, null, null));
}
