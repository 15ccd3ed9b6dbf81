/** `dotnet test`: VSTest's console logger, minimal to normal, and the terminal logger of newer SDKs. */
import {
  addCounts,
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestCounts,
  type TestReport,
  testReport,
} from '../test-report.ts';
import type { ToolOutput } from '../tool-output.ts';
import { messageFrom } from './names.ts';

/** `Failed!  - Failed:     1, Passed:     2, Skipped:     1, Total:     4, Duration: ...`, a line a project. */
const VSTEST =
  /^(?:Passed|Failed|Skipped)! +- Failed: +(\d+), Passed: +(\d+), Skipped: +(\d+), Total: +\d+\b/;
/** `Test summary: total: 4, failed: 1, succeeded: 2, skipped: 1, duration: 1.2s`, once. */
const SUMMARY = /^Test summary: total: \d+, failed: (\d+), succeeded: (\d+), skipped: (\d+)/;
/** `  Failed Shop.Tests.PricingTests.TakesAPercentage [12 ms]`. */
const RESULT = /^ {2}(Passed|Failed|Skipped) (.+?)(?: \[<? ?[\d.]+ m?s?\w*\])?$/;
/** `    PricingTests.cs(15): error TESTERROR:`, then the test with its time and message. */
const TERMINAL_PLACE = /^\s+(\S.*\(\d+)\): error TESTERROR:/;
const TERMINAL_NAME = /^\s+(\S.*?) \(<? ?[\d.]+m?s[\w ]*\): (.*)$/;
const STACK = /^\s+at .* in (.+):line (\d+)$/;
const NEXT = /^ {2}(?:Passed|Failed|Skipped) |^(?:Passed|Failed|Skipped)! |^Test /;

export function readDotnetTest({ lines, text }: ToolOutput): TestReport | null {
  if (!text.includes('- Failed:') && !text.includes('Test summary: ')) return null;
  let totals: TestCounts | null = null;
  let summary: TestCounts | null = null;
  const cases = new Map<string, TestCase>();
  for (const [at, line] of lines.entries()) {
    const project = countsOf(VSTEST.exec(line));
    if (project !== null) totals = addCounts(totals, project);
    summary = countsOf(SUMMARY.exec(line)) ?? summary;
    const place = TERMINAL_PLACE.exec(line)?.[1];
    if (place !== undefined) readTerminalFailure(place.replace('(', ':'), lines, at, cases);
    const [, outcome, name] = RESULT.exec(line) ?? [];
    if (name === undefined) continue;
    if (outcome === 'Passed') cases.set(name, passedCase(name));
    else if (outcome === 'Skipped') cases.set(name, skippedCase(name));
    else cases.set(name, readFailure(name, lines, at));
  }
  const counts = summary ?? totals;
  return counts === null ? null : testReport('dotnet-test', [...cases.values()], counts, []);
}

function countsOf(found: RegExpExecArray | null): TestCounts | null {
  if (found === null) return null;
  return { failed: Number(found[1]), passed: Number(found[2]), skipped: Number(found[3]) };
}

/** `Error Message:` with the assertion below it, then `Stack Trace:`. */
function readFailure(name: string, lines: readonly string[], at: number): TestCase {
  let message: string | null = null;
  let location: string | null = null;
  for (let below = at + 1; below < lines.length && below < at + 60 && location === null; below++) {
    const line = lines[below] ?? '';
    if (NEXT.test(line)) break;
    if (line.trim() === 'Error Message:') {
      message = messageFrom(lines, below + 1, 4, (one) => one.trim() === 'Stack Trace:');
    }
    const [, file, number] = STACK.exec(line) ?? [];
    if (file !== undefined) location = `${file}:${number}`;
  }
  return failedCase(name, message, location);
}

function readTerminalFailure(
  location: string,
  lines: readonly string[],
  at: number,
  cases: Map<string, TestCase>,
): void {
  const [, name, first] = TERMINAL_NAME.exec(lines[at + 1] ?? '') ?? [];
  if (name === undefined || first === undefined) return;
  const more = messageFrom(lines, at + 2, 3, (line) => line.trim() === 'Stack Trace:' || line.trim() === '');
  const message = `${first.replace(/^Error Message: /, '')}${more === null ? '' : ` ${more}`}`;
  cases.set(name, failedCase(name, message, location));
}
