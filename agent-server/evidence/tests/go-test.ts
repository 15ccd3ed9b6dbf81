/** `go test`, plain, with -v and with -json. */
import { z } from 'zod';
import { failedCase, type TestCase, type TestReport, testReport } from '../test-report.ts';
import type { ToolOutput } from '../tool-output.ts';

/** `ok  	pkg	0.01s`, `FAIL	pkg	0.003s`, `FAIL	pkg [build failed]`, `?   	pkg	[no test files]`. */
const PACKAGE = /^(ok {2}|FAIL|\? {3})\t(\S+)(?:\t(?:\(cached\)|[\d.]+s)| \[(build|setup) failed\])?/;
const RESULT = /^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$/;
const RUN = /^=== (?:RUN|CONT|NAME)\s+(\S+)/;
const SAID = /^\s+(\S+\.go:\d+): (.*)$/;
/** A frame of a panic's trace inside the tests. */
const FRAME = /^\t(\S+_test\.go:\d+)(?: |$)/;
const BUILD = /^# (\S+)/;

/** An event of test2json: its `Output` pieces, put together, are the text of `go test -v`. */
const Event = z.object({
  Action: z.string(),
  Package: z.string().optional(),
  ImportPath: z.string().optional(),
  Output: z.string().optional(),
});

export function readGoTest({ lines, text }: ToolOutput): TestReport | null {
  if (!/\bok {2}|\bFAIL\b|\? {3}|--- PASS|"Action"/.test(text)) return null;
  const reader = new GoReader();
  for (const line of plainLines(lines)) reader.read(line);
  return reader.report();
}

class GoReader {
  readonly #cases: TestCase[] = [];
  readonly #broken: string[] = [];
  #packages = 0;
  #verbose = false;
  /** Of the package whose line comes last. */
  #own = new Map<string, TestCase>();
  #running: string | null = null;
  #said = new Map<string, { message: string; location: string | null }>();
  #buildError: string | null = null;
  #inBuild = false;

  read(line: string): void {
    const run = RUN.exec(line)?.[1];
    if (run !== undefined) {
      this.#verbose = true;
      this.#running = run;
      return;
    }
    const [, outcome, name] = RESULT.exec(line) ?? [];
    if (outcome !== undefined && name !== undefined) {
      this.#running = name;
      this.#own.set(name, { ...failedCase(name, null, null), outcome: OUTCOMES[outcome] ?? 'failed' });
      return;
    }
    if (BUILD.test(line)) {
      this.#inBuild = true;
      return;
    }
    const [, state, pkg, reason] = PACKAGE.exec(line) ?? [];
    if (state !== undefined && pkg !== undefined) {
      this.#close(pkg, state, reason ?? null);
      return;
    }
    if (this.#inBuild) this.#buildError ??= line.trim() === '' ? null : line.trim();
    else this.#listen(line);
  }

  /** A message of `t.Error`, or a panic: it belongs to the test that runs, without -v to the one just named. */
  #listen(line: string): void {
    const test = this.#running;
    if (test === null) return;
    const known = this.#said.get(test);
    if (known !== undefined) {
      known.location ??= FRAME.exec(line)?.[1] ?? null;
      return;
    }
    const [, location, message] = SAID.exec(line) ?? [];
    const panic = /^panic: (.*?)(?: \[recovered\])?$/.exec(line)?.[1];
    if (location !== undefined && message !== undefined) this.#said.set(test, { message, location });
    else if (panic !== undefined) this.#said.set(test, { message: `panic: ${panic}`, location: null });
  }

  #close(pkg: string, state: string, reason: string | null): void {
    this.#packages++;
    for (const [name, one] of this.#own) {
      // A test with subtests only repeats what they say.
      if ([...this.#own.keys()].some((other) => other.startsWith(`${name}/`))) continue;
      const said = one.outcome === 'failed' ? this.#said.get(name) : undefined;
      this.#cases.push({
        ...one,
        name: `${pkg} ${name}`,
        message: said?.message ?? null,
        location: said?.location ?? null,
      });
    }
    if (reason !== null) this.#broken.push(`${pkg}: ${this.#buildError ?? `${reason} failed`}`);
    else if (state === 'FAIL' && ![...this.#own.values()].some((one) => one.outcome === 'failed')) {
      this.#broken.push(`${pkg}: failed outside its tests`);
    }
    this.#own = new Map();
    this.#said = new Map();
    this.#running = null;
    this.#buildError = null;
    this.#inBuild = false;
  }

  report(): TestReport | null {
    if (this.#packages === 0 && this.#own.size > 0) this.#close('', 'ok', null);
    if (this.#packages === 0) return null;
    const report = testReport('go-test', this.#cases, null, this.#broken);
    return { ...report, counted: this.#verbose };
  }
}

const OUTCOMES: Readonly<Record<string, TestCase['outcome']>> = {
  PASS: 'passed',
  FAIL: 'failed',
  SKIP: 'skipped',
};

/** Events of -json turned back into text, package by package, since packages run side by side. */
function plainLines(lines: readonly string[]): string[] {
  const byPackage = new Map<string, string>();
  const plain: string[] = [];
  for (const line of lines) {
    const event = line.startsWith('{"') && line.includes('"Action"') ? eventOf(line) : null;
    if (event === null) {
      plain.push(line);
      continue;
    }
    const pkg = event.Package ?? event.ImportPath ?? '';
    byPackage.set(pkg, (byPackage.get(pkg) ?? '') + (event.Output ?? ''));
  }
  return [...plain, ...[...byPackage.values()].flatMap((output) => output.split('\n'))];
}

function eventOf(line: string): z.infer<typeof Event> | null {
  try {
    const event = Event.safeParse(JSON.parse(line));
    return event.success ? event.data : null;
  } catch {
    return null;
  }
}
