/**
 * Two test runs against each other, test by test: what fails anew, what was mended. What that is worth is
 * compare-tests.ts's.
 */
import { namesAll, type TestCase, type TestReport } from './test-report.ts';

/** All reports of one run as one. */
export interface TestRun {
  readonly cases: ReadonlyMap<string, TestCase>;
  readonly tools: ReadonlySet<string>;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Every test is named. */
  readonly complete: boolean;
  readonly counted: boolean;
  readonly broken: readonly string[];
}

export interface Change {
  /** Failing now and not before, new tests among them. */
  failedNew: number;
  /** Of those, tests that passed before. */
  broke: number;
  newFailures: TestCase[];
  /** Failed before and pass now. */
  fixed: number;
}

/** By name where both runs name their failures, else by number. */
export function changeOf(was: TestRun, is: TestRun): Change {
  const named = [...was.tools].some((tool) => is.tools.has(tool));
  const listed = (run: TestRun): boolean => failures(run).length >= run.failed;
  if (!named || !listed(was) || !listed(is)) {
    const more = is.failed - was.failed;
    return {
      failedNew: Math.max(0, more),
      broke: Math.max(0, more),
      newFailures: [],
      fixed: Math.max(0, -more),
    };
  }
  const newFailures: TestCase[] = [];
  // What was not named passed, unless it never ran.
  const passesUnnamed = !was.complete && was.broken.length === 0;
  let broke = 0;
  let fixed = 0;
  for (const [key, one] of is.cases) {
    if (one.outcome !== 'failed' || was.cases.get(key)?.outcome === 'failed') continue;
    newFailures.push(one);
    if (was.cases.get(key)?.outcome === 'passed' || passesUnnamed) broke++;
  }
  for (const [key, one] of was.cases) {
    if (one.outcome !== 'failed') continue;
    const outcome = is.cases.get(key)?.outcome;
    // Where passing tests are not named, one that is not among the failures has passed.
    if (outcome === 'passed' || (outcome === undefined && !is.complete)) fixed++;
  }
  return { failedNew: newFailures.length, broke, newFailures, fixed };
}

export function merged(reports: readonly TestReport[]): TestRun {
  const cases = new Map<string, TestCase>();
  for (const report of reports) {
    for (const one of report.cases) {
      const key = `${report.tool} ${one.name}`;
      // Of tests with one name, a failing one speaks for all.
      if (cases.get(key)?.outcome !== 'failed') cases.set(key, one);
    }
  }
  const sum = (read: (report: TestReport) => number): number =>
    reports.reduce((all, report) => all + read(report), 0);
  return {
    cases,
    tools: new Set(reports.map((report) => report.tool)),
    passed: sum((report) => report.passed),
    failed: sum((report) => report.failed),
    skipped: sum((report) => report.skipped),
    complete: reports.every(namesAll),
    counted: reports.every((report) => report.counted),
    broken: reports.flatMap((report) => report.broken),
  };
}

/** A runner's JSON names a file by its whole path, its text by a part: without a name in common, by the last part. */
export function aligned(was: TestRun, is: TestRun): [was: TestRun, is: TestRun] {
  if ([...is.cases.keys()].some((key) => was.cases.has(key))) return [was, is];
  const short = (run: TestRun): TestRun => ({
    ...run,
    cases: new Map([...run.cases].map(([key, one]) => [key.replace(/\S*[/\\](?=\S+ > )/, ''), one])),
  });
  return [short(was), short(is)];
}

export function failures(run: TestRun): TestCase[] {
  return [...run.cases.values()].filter((one) => one.outcome === 'failed');
}

export function total(run: TestRun): number {
  return run.passed + run.failed + run.skipped;
}
