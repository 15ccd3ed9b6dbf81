/**
 * Two test runs compared: what changed is what counts. Whether a change that looks like success was bought by
 * weaker tests is asked of the diff (test-diff.ts) and of the tests that are missing.
 */
import type { ObservationContext } from './context.ts';
import { asksForFailingTest, asksToFix, namesOne } from './intent.ts';
import type { Reading } from './reading.ts';
import { earlierRuns, factsOf } from './run-facts.ts';
import { aligned, changeOf, failures, merged, type TestRun, total } from './test-change.ts';
import { readTestDiff, type TestDiff } from './test-diff.ts';
import type { TestCase, TestReport } from './test-report.ts';
import { failureWords, oneLine, wordsOf } from './words.ts';

/** Of a test's name in a detail. */
const MAX_REASON_CHARS = 200;

/** What a comparison says, of a reading. */
export type Finding = Pick<Reading, 'score' | 'detail' | 'words'>;

export interface TestQuestion {
  /** Of the test files that the turn changed; null unknown, '' none. */
  readonly testDiff: string | null;
  /** Test files that the turn wrote as a whole. */
  readonly written: readonly string[];
  readonly context: ObservationContext;
}

/**
 * `before` null: nothing is known of an earlier run. Then failures are -1, and passing is +1 only where the request
 * asked for it or the turn added tests; otherwise the tests may have passed all along.
 */
export function compareTests(
  before: readonly TestReport[] | null,
  now: readonly TestReport[],
  question: TestQuestion,
): Finding {
  const whole = merged(now);
  const [was, is] = before === null || before.length === 0 ? [null, whole] : aligned(merged(before), whole);
  const diff = readTestDiff(question.testDiff ?? '');
  const failing = failures(is);
  const words = failing[0] === undefined ? wordsOf(is.broken[0] ?? null) : failureWords(failing[0]);
  if (is.broken.length > (was?.broken.length ?? 0)) {
    const ran = was === null ? '' : ' that ran before';
    return {
      score: -1,
      detail: `Test files${ran} did not run to their end.`,
      words: wordsOf(is.broken[0] ?? null),
    };
  }
  const { request } = question.context;
  if (was === null) return withoutBefore(is, { diff, request, words });

  const change = changeOf(was, is);
  const weakened = weakenings(was, is, diff, question);
  if (runsAgain(was, is) && change.broke === 0) {
    return change.failedNew > 0
      ? {
          score: 0,
          detail: `Tests that did not run before run now; ${change.failedNew} of them fail.`,
          words,
        }
      : success('Tests that did not run before pass.', weakened);
  }
  const worse = change.failedNew;
  if (worse > 0) {
    if (asksForFailingTest(request) && change.broke === 0) {
      return { score: null, detail: 'New tests fail, as was asked for.', words };
    }
    const detail = `${tests(worse)} that did not fail before ${worse === 1 ? 'fails' : 'fail'}${change.fixed > 0 ? `; ${change.fixed} pass again` : ''}.`;
    const first = change.newFailures[0];
    const said = first === undefined ? words : failureWords(first);
    return { score: change.fixed > worse ? 0 : -1, detail, words: said };
  }
  if (change.fixed > 0) {
    return success(
      `${tests(change.fixed)} that failed before ${change.fixed === 1 ? 'passes' : 'pass'}.`,
      weakened,
    );
  }
  const same = is.failed + is.broken.length;
  if (same > 0 && wasToFix(failing, is.broken, question.context)) {
    return { score: -1, detail: `${tests(same)} still ${same === 1 ? 'fails' : 'fail'}.`, words };
  }
  const added = diff.added > 0 && is.passed > was.passed;
  if (added) return success('New tests pass.', weakened);
  if (weakened.length > 0) return success('No test fails that did not before.', weakened);
  if (same > 0) return { score: 0, detail: `The same ${tests(same)} fail as before.`, words };
  if (is.passed === 0) return { score: null, detail: 'No test ran.', words: null };
  return { score: null, detail: 'Tests pass as before.', words: null };
}

/** Files that did not load before do now: there are fewer of them, and more tests. */
function runsAgain(was: TestRun, is: TestRun): boolean {
  return was.broken.length > is.broken.length && total(is) > total(was);
}

function withoutBefore(
  is: TestRun,
  known: { diff: TestDiff; request: string; words: string | null },
): Finding {
  const { diff, request, words } = known;
  if (is.failed > 0) {
    if (asksForFailingTest(request)) {
      return { score: null, detail: 'Tests fail, as was asked for.', words };
    }
    return { score: -1, detail: `${tests(is.failed)} fail.`, words };
  }
  if (is.passed === 0) return { score: null, detail: 'No test ran.', words: null };
  if (diff.added > 0 || asksToFix(request)) return success(`${tests(is.passed)} pass.`, diff.weakened);
  if (diff.weakened.length > 0) return success('Tests pass.', diff.weakened);
  return { score: null, detail: 'Tests pass; whether they did before is not known.', words: null };
}

/** +1, unless it was bought. */
function success(detail: string, weakened: readonly string[]): Finding {
  const [first] = weakened;
  return first === undefined
    ? { score: 1, detail, words: null }
    : {
        score: 0,
        detail: `${detail} But ${oneLine(first, MAX_REASON_CHARS)}: weaker tests are no success.`,
        words: null,
      };
}

/** Why passing is no success. A diff known to be empty rules out that tests went missing: fewer were run. */
function weakenings(was: TestRun, is: TestRun, diff: TestDiff, question: TestQuestion): string[] {
  if (question.testDiff === '') return [];
  const found = [...diff.weakened];
  if (was.broken.length > is.broken.length && !runsAgain(was, is)) {
    found.push('a test file that did not load is missing');
  }
  for (const path of question.written) {
    const file = path.split(/[/\\]/).at(-1) ?? path;
    const known = [...was.cases.values()].some((one) => `${one.name} ${one.location}`.includes(file));
    if (known) found.push(`the test file ${path} was written anew`);
  }
  if (was.complete && is.complete) {
    const gone = [...was.cases].find(([key, one]) => one.outcome !== 'skipped' && !is.cases.has(key));
    if (gone !== undefined) found.push(`the test "${gone[1].name}" is missing`);
  } else if (was.counted && is.counted) {
    const fewer = total(was) - total(is);
    if (fewer > 0) found.push(`${tests(fewer)} that ran before ${fewer === 1 ? 'is' : 'are'} missing`);
  }
  if (was.broken.length === 0 && was.counted && is.counted && is.skipped > was.skipped) {
    found.push(
      `${tests(is.skipped - was.skipped)} more ${is.skipped - was.skipped === 1 ? 'is' : 'are'} skipped`,
    );
  }
  return found;
}

/** Were these failures what the turn was to mend? The request says so, or the session brought them in. */
function wasToFix(
  failing: readonly TestCase[],
  broken: readonly string[],
  context: ObservationContext,
): boolean {
  if (asksToFix(context.request) || namesOne(context.request, failing.flatMap(titlesOf))) return true;
  const names = new Set([...failing.map((one) => one.name), ...broken]);
  /** Failing names of later runs, with the command that ran them. */
  const failedLater = new Map<string, string>();
  for (const run of earlierRuns(context)) {
    const earlier = merged(factsOf(run).reports);
    if (earlier.passed + earlier.failed === 0 && earlier.broken.length === 0) continue;
    const failed = new Set([...failures(earlier).map((one) => one.name), ...earlier.broken]);
    const passed = new Set(
      [...earlier.cases.values()].filter((one) => one.outcome === 'passed').map((one) => one.name),
    );
    for (const [name, command] of failedLater) {
      if (passed.has(name) || (command === run.command && !failed.has(name))) return true;
    }
    for (const name of failed) if (names.has(name)) failedLater.set(name, run.command);
  }
  return false;
}

/** A test as people name it: its title, and the identifiers in it. */
function titlesOf(one: TestCase): string[] {
  const title = one.name.split(/ > |::/).at(-1) ?? one.name;
  const words = title.split(/[\s/()[\]]+/);
  return [title, ...words.filter((word) => /^(?:[Tt]est\w+|\w+_\w+|[a-z]+[A-Z]\w*)$/.test(word))];
}

function tests(count: number): string {
  return count === 1 ? '1 test' : `${count} tests`;
}
