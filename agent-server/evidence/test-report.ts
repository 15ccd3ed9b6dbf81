/** The one form of all test reports. Recognising them is tests/'s, comparing two of them compare-tests.ts's. */

export type TestTool =
  | 'junit'
  | 'tap'
  | 'node-test'
  | 'vitest'
  | 'jest'
  | 'mocha'
  | 'pytest'
  | 'go-test'
  | 'cargo-test'
  | 'dotnet-test';

export interface TestCase {
  /** With its suites and, where the tool says it, its file: the same test has the same name in every run. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** The failing assertion or thrown error; null when it is not said. */
  readonly message: string | null;
  /** `file:line` of the failure, as the tool writes it. */
  readonly location: string | null;
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TestReport extends TestCounts {
  readonly tool: TestTool;
  /** The tests that the output names; failing ones always, the others where the tool lists them. */
  readonly cases: readonly TestCase[];
  /** False: the counts are only of what the output names (go test without -v). */
  readonly counted: boolean;
  /** Why test files never ran: a compile error, a failed import. */
  readonly broken: readonly string[];
}

/** A report of `cases`. Where the tool's own totals are higher the output does not name every test. */
export function testReport(
  tool: TestTool,
  cases: readonly TestCase[],
  totals: TestCounts | null,
  broken: readonly string[],
): TestReport {
  const count = (outcome: TestCase['outcome']): number =>
    cases.filter((one) => one.outcome === outcome).length;
  return {
    tool,
    cases,
    passed: Math.max(count('passed'), totals?.passed ?? 0),
    failed: Math.max(count('failed'), totals?.failed ?? 0),
    skipped: Math.max(count('skipped'), totals?.skipped ?? 0),
    counted: true,
    broken,
  };
}

export function addCounts(sum: TestCounts | null, one: TestCounts): TestCounts {
  return {
    passed: (sum?.passed ?? 0) + one.passed,
    failed: (sum?.failed ?? 0) + one.failed,
    skipped: (sum?.skipped ?? 0) + one.skipped,
  };
}

/** Does the report name every test that it counts? */
export function namesAll(report: TestReport): boolean {
  return report.counted && report.cases.length >= report.passed + report.failed + report.skipped;
}

export function passedCase(name: string): TestCase {
  return { name, outcome: 'passed', message: null, location: null };
}

export function skippedCase(name: string): TestCase {
  return { name, outcome: 'skipped', message: null, location: null };
}

export function failedCase(name: string, message: string | null, location: string | null): TestCase {
  return { name, outcome: 'failed', message, location };
}
