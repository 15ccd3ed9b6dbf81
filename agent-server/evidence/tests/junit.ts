/** JUnit XML, which most runners can write: `testsuites`, `testsuite`, `testcase`, `failure`, `error`, `skipped`. */
import { addCounts, type TestCase, type TestCounts, type TestReport, testReport } from '../test-report.ts';
import type { ToolOutput } from '../tool-output.ts';
import { xmlEvents } from '../xml.ts';
import { frameLocation, messageFrom } from './names.ts';

const ROOT = /<testsuites?[\s>]/;
/** Of an error's text. */
const MAX_TEXT_CHARS = 4_000;

interface OpenCase {
  name: string;
  file: string | null;
  outcome: TestCase['outcome'];
  message: string | null;
  text: string;
  /** The runner's stand-in for a file that could not be loaded. */
  loadError: boolean;
}

export function readJunit({ text }: ToolOutput): TestReport | null {
  const start = text.search(ROOT);
  if (start === -1) return null;
  const cases: TestCase[] = [];
  const broken: string[] = [];
  let totals: TestCounts | null = null;
  let depth = 0;
  /** Depth of the outermost open element that has totals: those of the suites in it are part of them. */
  let countedAt: number | null = null;
  let open: OpenCase | null = null;
  let inFailure = false;
  for (const event of xmlEvents(text, start)) {
    if (event.kind === 'text') {
      if (open !== null && inFailure && open.text.length < MAX_TEXT_CHARS) open.text += event.text;
    } else if (event.kind === 'open') {
      if (event.name === 'testsuites' || event.name === 'testsuite') {
        depth++;
        if (countedAt === null && event.attributes.has('tests')) {
          countedAt = depth;
          totals = addCounts(totals, countsOf(event.attributes));
        }
      } else if (event.name === 'testcase') open = openCase(event.attributes);
      else if (open !== null && (event.name === 'failure' || event.name === 'error')) {
        open.outcome = 'failed';
        open.message = event.attributes.get('message') ?? open.message;
        open.loadError ||= open.message === 'collection failure';
        inFailure = true;
      } else if (open !== null && event.name === 'skipped') open.outcome = 'skipped';
    } else if (event.name === 'failure' || event.name === 'error') inFailure = false;
    else if (event.name === 'testcase' && open !== null) {
      if (open.loadError && open.outcome === 'failed')
        broken.push(`${open.name}: ${said(open) ?? 'did not load'}`);
      else cases.push(closed(open));
      open = null;
    } else if (event.name === 'testsuites' || event.name === 'testsuite') {
      if (countedAt === depth) countedAt = null;
      depth--;
    }
  }
  if (totals === null && cases.length === 0 && broken.length === 0) return null;
  // Totals are for a document that was cut; they count what did not load as a test.
  const stated = totals === null ? 0 : totals.passed + totals.failed + totals.skipped;
  return testReport('junit', cases, cases.length + broken.length < stated ? totals : null, broken);
}

function openCase(attributes: ReadonlyMap<string, string>): OpenCase {
  const group = attributes.get('classname') ?? '';
  const title = attributes.get('name') ?? '';
  return {
    name: group === '' || title === group ? title : `${group} ${title}`,
    file: attributes.get('file') ?? null,
    outcome: 'passed',
    message: null,
    text: '',
    loadError: title === group && title !== '',
  };
}

function closed(one: OpenCase): TestCase {
  if (one.outcome !== 'failed')
    return { name: one.name, outcome: one.outcome, message: null, location: null };
  const lines = one.text.split('\n');
  const frame = lines.flatMap((line) => frameLocation(line) ?? [])[0];
  const python = lines.flatMap((line) => /^(\S+\.py:\d+): /.exec(line)?.[1] ?? [])[0];
  return { name: one.name, outcome: 'failed', message: said(one), location: frame ?? python ?? one.file };
}

function said(one: OpenCase): string | null {
  const lines = (one.message ?? one.text).split('\n');
  return messageFrom(lines, 0, 4, (line) => /^\s+at /.test(line));
}

function countsOf(attributes: ReadonlyMap<string, string>): TestCounts {
  const count = (key: string): number => Math.min(1e6, Number.parseInt(attributes.get(key) ?? '0', 10) || 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped');
  return { passed: Math.max(0, count('tests') - failed - skipped), failed, skipped };
}
