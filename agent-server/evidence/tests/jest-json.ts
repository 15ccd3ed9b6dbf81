/** The JSON of `jest --json` and `vitest --reporter=json`, which have one form (Jest's FormattedTestResults). */
import { z } from 'zod';
import { wholeJson, wholeObjects } from '../json.ts';
import {
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestCounts,
  type TestReport,
  testReport,
} from '../test-report.ts';
import type { ToolOutput } from '../tool-output.ts';
import { frameLocation, PATH_SEPARATOR } from './names.ts';

const Assertion = z.object({
  ancestorTitles: z.array(z.string()),
  title: z.string(),
  status: z.string(),
  failureMessages: z.array(z.string()).nullish(),
});
type Assertion = z.infer<typeof Assertion>;
const Results = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().nullish(),
      assertionResults: z.array(Assertion),
    }),
  ),
});

export function readJestJson({ text }: ToolOutput): TestReport | null {
  const marker = text.indexOf('"numTotalTests"');
  if (marker === -1) return null;
  const whole = Results.safeParse(wholeJson(text, text.lastIndexOf('{', marker), '}'));
  // vitest writes `meta` of every test, jest `failing`.
  const tool = text.includes('"meta":{') ? 'vitest' : 'jest';
  if (whole.success) {
    const files = whole.data.testResults;
    const broken = files
      .filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
      .map((file) => `${file.name}: ${firstLine(file.message) ?? 'did not run'}`);
    const cases = files.flatMap((file) => file.assertionResults.map((one) => caseOf(one, file.name)));
    return testReport(tool, cases, null, broken);
  }
  const cases = wholeObjects(text, '{"ancestorTitles"').flatMap((value) => {
    const one = Assertion.safeParse(value);
    return one.success ? [caseOf(one.data, null)] : [];
  });
  return testReport(tool, cases, totalsOf(text), []);
}

/** The file is left out of the name where the rest is cut away: it stands after its tests. */
function caseOf(one: Assertion, file: string | null): TestCase {
  const name = [...(file === null ? [] : [file]), ...one.ancestorTitles, one.title].join(PATH_SEPARATOR);
  if (one.status === 'passed') return passedCase(name);
  if (one.status !== 'failed') return skippedCase(name);
  const said = one.failureMessages?.[0] ?? '';
  const frames = said.split('\n').slice(0, 60);
  const end = frames.findIndex((line) => /^\s+at /.test(line));
  const message = frames.slice(0, end === -1 ? 4 : Math.min(end, 6)).filter((line) => line.trim() !== '');
  const location = frames.map(frameLocation).find((place) => place !== null) ?? null;
  return failedCase(name, message.length === 0 ? null : message.join(' '), location);
}

function totalsOf(text: string): TestCounts {
  const count = (key: string): number =>
    Number(new RegExp(`"${key}"\\s{0,4}:\\s{0,4}(\\d{1,9})`).exec(text)?.[1] ?? 0);
  return {
    passed: count('numPassedTests'),
    failed: count('numFailedTests'),
    skipped: count('numPendingTests') + count('numTodoTests'),
  };
}

function firstLine(text: string | null | undefined): string | null {
  return (
    text
      ?.split('\n')
      .find((line) => line.trim() !== '' && !line.includes('●'))
      ?.trim() ?? null
  );
}
