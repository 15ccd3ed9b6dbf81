/**
 * `npm test`: every check of the project, stage by stage, ending in one line `N passed, N failed`. A check such
 * as the formatter counts as one. A stage without a single test is a failure: silence must not look like
 * success. What a stage needs is made before by setup.mjs.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { inspect, parseArgs, stripVTControlCharacters } from 'node:util';
import { repositoryRoot as root, runtime } from './fixtures/runtime.ts';

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

interface Stage {
  name: string;
  run: () => Promise<Outcome>;
}

const MINUTE_MS = 60_000;
/** Of a failing file's own output, what is shown. */
const OUTPUT_TAIL_CHARS = 6_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function sum(outcomes: readonly Outcome[]): Outcome {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of outcomes) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}

/** Runs a command to its end or its limit; the output is both streams together. */
function command(
  file: string,
  args: readonly string[],
  limitMs: number,
): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, [...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const limit = setTimeout(() => {
      output += `\nStopped: not done after ${limitMs / MINUTE_MS} minutes.`;
      child.kill('SIGKILL');
    }, limitMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', (error) => {
      clearTimeout(limit);
      resolve({ ok: false, output: error.message });
    });
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ ok: code === 0, output });
    });
  });
}

/** One command as one check: its output is shown when it fails. */
async function check(file: string, ...args: string[]): Promise<Outcome> {
  const { ok, output } = await command(file, args, 5 * MINUTE_MS);
  if (!ok) say(output.trimEnd());
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

/** A program of node_modules, run by this Node. */
function tool(script: string, ...args: string[]): Promise<Outcome> {
  return check(process.execPath, join(root, 'node_modules', script), ...args);
}

function python(...args: string[]): Promise<Outcome> {
  return check(runtime().python, '-m', ...args);
}

/** Runs test files, each in a process of its own, and prints what fails. Counts tests, not suites. */
async function nodeTests(
  pattern: string,
  options: { concurrency: number; timeoutMs: number },
): Promise<Outcome> {
  const files = globSync(pattern, { cwd: root })
    .sort()
    .map((file) => join(root, file));
  const outcome: Outcome = { passed: 0, failed: 0, skipped: 0 };
  if (files.length === 0) return outcome;
  const output = new Map<string, string>();
  const noisy = new Set<string>();
  const events = run({ files, concurrency: options.concurrency, timeout: options.timeoutMs });
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') {
      output.set(data.file, ((output.get(data.file) ?? '') + data.message).slice(-OUTPUT_TAIL_CHARS));
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = data.file ?? data.name;
    const place = `${relative(root, file)}: ${data.name}`;
    if (data.skip !== undefined || data.todo !== undefined) {
      outcome.skipped += 1;
      say(`  skipped ${place} (${data.skip ?? data.todo})`);
    } else if (data.details.type === 'suite') {
      // Its tests have been counted, each by itself.
    } else if (type === 'test:fail') {
      outcome.failed += 1;
      noisy.add(file);
      say(`  FAIL ${place}\n${inspect(data.details.error.cause ?? data.details.error, { depth: 6 })}`);
    } else if (files.includes(data.name)) {
      // Node reports a file that registered no test as a test that passed.
      outcome.failed += 1;
      say(`  FAIL ${relative(root, data.name)}: no test in this file`);
    } else outcome.passed += 1;
  }
  for (const file of noisy) {
    const text = stripVTControlCharacters(output.get(file) ?? '').trim();
    if (text !== '') say(`  output of ${relative(root, file)}:\n${text}`);
  }
  return outcome;
}

/** The golden cases kept in the project; their runner ends in the same line as this one. */
async function goldenCases(): Promise<Outcome> {
  const args = [join(root, 'test/golden.ts'), join(root, 'test/fixtures/golden.json')];
  const { ok, output } = await command(process.execPath, args, 10 * MINUTE_MS);
  const counts = output.trimEnd().match(/(\d+) passed, (\d+) failed$/);
  const failed = counts ? Number(counts[2]) : 1;
  if (!ok || failed > 0) say(output.trimEnd());
  return { passed: Number(counts?.[1] ?? 0), failed: ok ? failed : Math.max(1, failed), skipped: 0 };
}

async function pythonTests(): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-pytest-'));
  try {
    const report = join(folder, 'report.xml');
    const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', `--junit-xml=${report}`, 'test/python'];
    const { ok, output } = await command(runtime().python, args, 10 * MINUTE_MS);
    const xml = existsSync(report) ? readFileSync(report, 'utf8') : '';
    const count = (name: string): number =>
      Number(xml.match(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`))?.[1] ?? 0);
    const failed = count('failures') + count('errors');
    if (!ok) say(output.trimEnd());
    const skipped = count('skipped');
    return { passed: count('tests') - failed - skipped, failed: ok ? failed : Math.max(1, failed), skipped };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const has = (path: string): boolean => existsSync(join(root, path));
const pythonSources = join(root, 'gpu-worker', 'python');
const pythonFolders = [pythonSources, join(root, 'test')];

const stages: readonly Stage[] = [
  { name: 'biome', run: () => tool('@biomejs/biome/bin/biome', 'ci', '--colors=off') },
  {
    name: 'ruff',
    run: async () =>
      sum([
        await python('ruff', 'check', '--no-cache', ...pythonFolders),
        await python('ruff', 'format', '--no-cache', '--check', ...pythonFolders),
      ]),
  },
  { name: 'tsc', run: () => tool('typescript/bin/tsc', '--noEmit') },
  {
    name: 'pyright',
    run: () => tool('pyright/index.js', '--project', pythonSources, '--pythonpath', runtime().python),
  },
  ...(has('test/fixtures/golden.json') ? [{ name: 'golden', run: goldenCases }] : []),
  {
    name: 'unit',
    run: () => nodeTests('test/unit/**/*.test.ts', { concurrency: 2, timeoutMs: 5 * MINUTE_MS }),
  },
  ...(has('test/python') ? [{ name: 'python', run: pythonTests }] : []),
  {
    // One at a time: two real models on two cores would only slow one another.
    name: 'contract',
    run: () => nodeTests('test/contract/**/*.test.ts', { concurrency: 1, timeoutMs: 10 * MINUTE_MS }),
  },
  {
    name: 'e2e',
    run: () => nodeTests('test/e2e/**/*.test.ts', { concurrency: 1, timeoutMs: 10 * MINUTE_MS }),
  },
];

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const wanted = values.only?.split(',') ?? stages.map(({ name }) => name);
const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  throw new Error(`No stage ${unknown.join(', ')}; there are ${stages.map(({ name }) => name).join(', ')}.`);
}

const outcomes: Outcome[] = [];
for (const stage of stages.filter(({ name }) => wanted.includes(name))) {
  say(`${stage.name} ...`);
  const startedMs = performance.now();
  let outcome: Outcome;
  try {
    outcome = await stage.run();
  } catch (error) {
    say(inspect(error));
    outcome = { passed: 0, failed: 1, skipped: 0 };
  }
  if (outcome.passed + outcome.failed === 0) {
    say(`  FAIL ${stage.name}: no test ran`);
    outcome.failed = 1;
  }
  outcomes.push(outcome);
  const skipped = outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : '';
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  say(`${stage.name}: ${outcome.passed} passed, ${outcome.failed} failed${skipped} (${seconds} s)\n`);
}
const total = sum(outcomes);
say(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
