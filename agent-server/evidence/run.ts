/**
 * A run of a command read: its test reports first, then what compilers and linters say in it, then its exit code.
 * Which run it is to be compared with, and whether its exit code means anything, is the caller's to say.
 */
import { compareProblems } from './compare-problems.ts';
import { compareTests, type Finding } from './compare-tests.ts';
import type { ObservationContext } from './context.ts';
import { asksToFix } from './intent.ts';
import type { Run, RunFacts } from './run-facts.ts';
import { toolOutput } from './tool-output.ts';
import { problemWords, wordsOf } from './words.ts';

export interface RunQuestion {
  readonly now: Run;
  /** Edits of the user came between what the turn did and the run. */
  readonly editedSince: boolean;
  readonly facts: RunFacts;
  /** Null: not known. */
  readonly before: RunFacts | null;
  /** Of the test files that the turn changed; null unknown, '' none. */
  readonly testDiff: string | null;
  /** Test files that the turn wrote as a whole. */
  readonly written: readonly string[];
  /** What the turn wrote. */
  readonly proposal: string;
  readonly context: ObservationContext;
  /** `answer`: this code, other than 0, is no failure (grep, diff). */
  readonly exitCodeMeans: (exitCode: number) => 'verdict' | 'answer';
}

/** Could not be started, or was ended from outside: 126, 127, and 128 + SIGINT, SIGKILL, SIGTERM. */
const DID_NOT_RUN: ReadonlySet<number> = new Set([126, 127, 130, 137, 143]);
const SUCCEEDS_NOW: Finding = { score: 1, detail: 'Failed before and succeeds now.', words: null };
const NO_TESTS = /\bno tests? (?:files? )?(?:found|ran|were found|to run|collected)\b/i;

export function readRun(question: RunQuestion): Finding {
  const { facts, editedSince } = question;
  if (editedSince) return { score: null, detail: 'Ran after edits of the user.', words: null };
  const found = [testsIn(question), problemsIn(question)].filter((one) => one !== null);
  // A failure of either decides; else what the tests say, which stand first.
  const decided =
    found.find((one) => one.score === -1) ?? found.find((one) => one.score !== null) ?? found[0];
  if (decided === undefined) return readExitCode(question);
  const failed = (facts.exitCode ?? 0) !== 0;
  const nothingFails = facts.errors.length === 0 && facts.reports.every((one) => one.failed === 0);
  return decided.score === 1 && failed && nothingFails
    ? { score: null, detail: `${decided.detail} But the command failed with ${facts.exitCode}.`, words: null }
    : decided;
}

function testsIn(question: RunQuestion): Finding | null {
  const { facts, before, testDiff, written, context } = question;
  if (facts.reports.length === 0) {
    const ran = before?.reports.some((one) => one.passed + one.failed > 0) ?? false;
    const first = facts.errors[0];
    if (!ran || first === undefined) return null;
    return { score: -1, detail: 'Tests that ran before do not compile.', words: problemWords(first) };
  }
  const compared = compareTests(before?.reports ?? null, facts.reports, { testDiff, written, context });
  if (before === null || before.reports.length > 0) return compared;
  const failed = facts.reports.reduce((sum, one) => sum + one.failed + one.broken.length, 0);
  // Before, nothing compiled: a failure may have been there behind it.
  if (before.errors.length > 0)
    return failed > 0
      ? { ...compared, score: 0, detail: 'What did not compile before runs, but tests fail.' }
      : compared;
  // How it failed cannot be read (what was typed meanwhile is echoed among what it printed); that it did is enough.
  const passes = compared.score === null && failed === 0 && facts.reports.some((one) => one.passed > 0);
  return passes && facts.exitCode === 0 && failedBefore(question) ? SUCCEEDS_NOW : compared;
}

function problemsIn(question: RunQuestion): Finding | null {
  const { facts, before, proposal, context } = question;
  if (facts.errors.length === 0 && (before === null || before.errors.length === 0)) return null;
  // Gone without a success: it may not have come to them.
  if (facts.errors.length === 0 && facts.exitCode !== 0) return null;
  return compareProblems(before?.errors ?? null, facts.errors, { proposal, context });
}

function readExitCode(question: RunQuestion): Finding {
  const { now, context, exitCodeMeans } = question;
  const code = now.exitCode;
  if (code === null) return { score: null, detail: 'How it ended is not known.', words: null };
  if (code !== 0 && exitCodeMeans(code) === 'answer') {
    return { score: null, detail: `Ended with ${code}, which is an answer and no failure.`, words: null };
  }
  if (DID_NOT_RUN.has(code)) {
    return { score: null, detail: `Did not run to its end (${code}).`, words: null };
  }
  const failed = failedBefore(question);
  if (code === 0) {
    return failed ? SUCCEEDS_NOW : { score: null, detail: 'Succeeded.', words: null };
  }
  if (NO_TESTS.test(now.output)) return { score: null, detail: 'No tests were found.', words: null };
  const words = wordsOf(lineOfError(now.output));
  if (failed && !asksToFix(context.request)) {
    return { score: 0, detail: `Fails as before (${code}).`, words };
  }
  return { score: -1, detail: failed ? `Still fails (${code}).` : `Failed with ${code}.`, words };
}

/** By its exit code, unless that was an answer or the run was ended before it could succeed. */
function failedBefore({ before, exitCodeMeans }: RunQuestion): boolean {
  const code = before?.exitCode ?? 0;
  return code !== 0 && !DID_NOT_RUN.has(code) && exitCodeMeans(code) === 'verdict';
}

const EXCEPTION = /^(?:[\w.]+(?:Error|Exception|Interrupt|Exit)|panic|Uncaught \w+)\b.*:/;
const ERROR = /\b(?:error|fatal|failed|cannot|denied|not found|no such)\b/i;

/** The line that says most: an exception's own (the last one), else the first that speaks of an error, else the last. */
export function lineOfError(output: string): string | null {
  const lines = toolOutput(output).lines.filter((line) => line.trim() !== '');
  return (
    lines.findLast((line) => EXCEPTION.test(line)) ??
    lines.find((line) => ERROR.test(line)) ??
    lines.at(-1) ??
    null
  );
}
