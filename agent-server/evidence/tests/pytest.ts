/** pytest's terminal report, short or verbose, with or without tracebacks. */
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
import { messageFrom } from './names.ts';

/** `=== 3 failed, 2 passed in 0.08s ===`, without the rules when quiet. */
const TOTALS = /^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$/;
const COUNT = /(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b/g;
const VERBOSE = /^(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b/;
const SUMMARY = /^(FAILED|ERROR) (\S+?\.\w+(?:::.+?)?)(?: - (.*))?$/;
/** `____ TestBasket.test_whole_basket ____`, `____ ERROR collecting file.py ____`. */
const SECTION = /^_{3,} (.+?) _{3,}$/;
const PLACE = /^(\S+\.py:\d+): (?:\w|$)/;

interface Section {
  message: string | null;
  location: string | null;
}

export function readPytest({ lines, text }: ToolOutput): TestReport | null {
  if (!/ in [\d.]+s/.test(text)) return null;
  let totals: TestCounts | null = null;
  const cases = new Map<string, TestCase>();
  const sections = new Map<string, Section>();
  const broken: string[] = [];
  let section: Section | null = null;
  for (const [at, line] of lines.entries()) {
    const counted = TOTALS.exec(line)?.[1];
    if (counted !== undefined) totals = addTotals(totals, counted);
    const heading = SECTION.exec(line)?.[1];
    if (heading !== undefined) {
      section = { message: null, location: null };
      sections.set(heading, section);
    } else if (section !== null) {
      if (line.startsWith('E  '))
        section.message ??= messageFrom(lines.slice(at, at + 3).map(said), 0, 3, (one) => one === '');
      section.location ??= PLACE.exec(line)?.[1] ?? null;
    }
    const [, id, outcome] = VERBOSE.exec(line) ?? [];
    if (id !== undefined && outcome !== undefined) addCase(cases, id, outcome);
    const [, kind, name, reason] = SUMMARY.exec(line) ?? [];
    if (kind === undefined || name === undefined) continue;
    if (name.includes('::')) cases.set(name, failedCase(name, reason ?? null, null));
    else {
      const why = sections.get(`ERROR collecting ${name}`)?.message ?? reason ?? 'could not be collected';
      broken.push(`${name}: ${why}`);
    }
  }
  if (totals === null) return null;
  const { passed, failed, skipped } = totals;
  const counts = { passed, failed: Math.max(0, failed - broken.length), skipped };
  return testReport(
    'pytest',
    [...cases.values()].map((one) => explained(one, sections)),
    counts,
    broken,
  );
}

/** What pytest says of the error: its lines beginning with E; empty for any other. */
function said(line: string): string {
  return line.startsWith('E  ') ? line.slice(1).trim() : '';
}

function addTotals(sum: TestCounts | null, text: string): TestCounts {
  const totals = { passed: sum?.passed ?? 0, failed: sum?.failed ?? 0, skipped: sum?.skipped ?? 0 };
  for (const [, count, what] of text.matchAll(COUNT)) {
    if (what === 'passed' || what === 'xpassed') totals.passed += Number(count);
    else if (what === 'skipped' || what === 'xfailed') totals.skipped += Number(count);
    else totals.failed += Number(count);
  }
  return totals;
}

function addCase(cases: Map<string, TestCase>, id: string, outcome: string): void {
  if (outcome === 'PASSED' || outcome === 'XPASS') cases.set(id, passedCase(id));
  else if (outcome === 'SKIPPED' || outcome === 'XFAIL') cases.set(id, skippedCase(id));
  else cases.set(id, failedCase(id, null, null));
}

/** Adds what the failure's own section says: `file::Class::test` stands over it as `Class.test`. */
function explained(one: TestCase, sections: ReadonlyMap<string, Section>): TestCase {
  if (one.outcome !== 'failed') return one;
  const title = one.name.split('::').slice(1).join('.');
  const section = sections.get(title) ?? sections.get(`ERROR at setup of ${title}`);
  return { ...one, message: section?.message ?? one.message, location: section?.location ?? null };
}
