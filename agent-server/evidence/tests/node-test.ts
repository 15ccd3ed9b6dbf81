/** The `spec` reporter of `node --test`. Its TAP is tap.ts's, its JUnit XML junit.ts's. */
import {
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestReport,
  testReport,
} from '../test-report.ts';
import { indentOf, type ToolOutput } from '../tool-output.ts';
import { locationFrom, messageFrom, SuitePath, withoutDuration } from './names.ts';

const TOTAL = /^ℹ (tests|pass|fail|cancelled|skipped|todo) (\d+)$/;
const TEST = /^(\s*)([✔✖﹣]) (.*?)(?: # (?:SKIP|TODO).*)?$/;
const FAILED = /^(\s*)✖ (.*)$/;
const PLACE = /^test at (.+:\d+):\d+$/;

export function readNodeTest({ lines, text }: ToolOutput): TestReport | null {
  if (!text.includes('ℹ tests ')) return null;
  const counts = new Map<string, number>();
  const cases: TestCase[] = [];
  const path = new SuitePath();
  /** Suites close with a line of their own, marked like a test. */
  const suites = new Set<string>();
  let details = false;
  for (const [at, line] of lines.entries()) {
    const [, what, count] = TOTAL.exec(line) ?? [];
    if (what !== undefined) counts.set(what, (counts.get(what) ?? 0) + Number(count));
    else if (line === '✖ failing tests:') details = true;
    else if (details) readDetails(lines, at, cases);
    else readTree(line, { path, suites, cases });
  }
  if (!counts.has('tests') || !counts.has('pass')) return null;
  const failed = (counts.get('fail') ?? 0) + (counts.get('cancelled') ?? 0);
  const skipped = (counts.get('skipped') ?? 0) + (counts.get('todo') ?? 0);
  return testReport('node-test', cases, { passed: counts.get('pass') ?? 0, failed, skipped }, []);
}

function readTree(line: string, tree: { path: SuitePath; suites: Set<string>; cases: TestCase[] }): void {
  const suite = /^(\s*)▶ (.*)$/.exec(line);
  if (suite !== null) {
    const indent = suite[1]?.length ?? 0;
    tree.suites.add(tree.path.nameOf(indent, suite[2] ?? ''));
    tree.path.enter(indent, suite[2] ?? '');
    return;
  }
  const [, , mark, rest = ''] = TEST.exec(line) ?? [];
  if (mark === undefined) return;
  const name = tree.path.nameOf(indentOf(line), withoutDuration(rest));
  if (tree.suites.has(name)) return;
  if (mark === '✔') tree.cases.push(passedCase(name));
  else if (mark === '﹣') tree.cases.push(skippedCase(name));
  else tree.cases.push(failedCase(name, null, null));
}

/** `test at file:line:column`, `✖ name (2ms)`, then the error. Goes to the first such test still without one. */
function readDetails(lines: readonly string[], at: number, cases: TestCase[]): void {
  const place = PLACE.exec(lines[at] ?? '')?.[1];
  const title = withoutDuration(FAILED.exec(lines[at + 1] ?? '')?.[2] ?? '');
  if (place === undefined || title === '') return;
  const next = (line: string): boolean => PLACE.test(line);
  const message = messageFrom(lines, at + 2, 4, (line) => next(line) || /^\s+at /.test(line));
  const location = locationFrom(lines, at + 2, next) ?? place;
  const known = cases.findIndex(
    (one) =>
      one.outcome === 'failed' &&
      one.message === null &&
      (one.name === title || one.name.endsWith(` > ${title}`)),
  );
  if (known === -1) cases.push(failedCase(title, message, location));
  else cases[known] = failedCase(cases[known]?.name ?? title, message, location);
}
