/** `cargo test`: libtest's output, a part for each test binary and for the documentation. */
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

const TARGET = /^\s+(?:Running (?:unittests )?(\S+) \(|Doc-tests (\S+)$)/;
const TEST = /^test (.+?) \.\.\. (ok|FAILED|ignored)\b/;
const TOTALS = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/;
const STDOUT = /^---- (.+) stdout ----$/;
/** Since Rust 1.73 the message is on the next line; before, it stands quoted in front of the place. */
const PANIC = /^thread '.*?' (?:\(\d+\) )?panicked at (?:'(.*)', )?(\S+:\d+):\d+:?$/;
const END = /^(?:note: |stack backtrace:|---- |failures:|thread )|^\s*$/;

export function readCargoTest({ lines, text }: ToolOutput): TestReport | null {
  if (!text.includes('test result: ')) return null;
  let totals: TestCounts | null = null;
  let target = '';
  let failing: string | null = null;
  const cases = new Map<string, TestCase>();
  for (const [at, line] of lines.entries()) {
    const entered = TARGET.exec(line);
    if (entered !== null) target = `${entered[1] ?? entered[2] ?? ''} `;
    const [, title, outcome] = TEST.exec(line) ?? [];
    if (title !== undefined) {
      const name = `${target}${title}`;
      if (outcome === 'ok') cases.set(name, passedCase(name));
      else cases.set(name, outcome === 'ignored' ? skippedCase(name) : failedCase(name, null, null));
    }
    const [, passed, failed, ignored] = TOTALS.exec(line) ?? [];
    if (passed !== undefined) {
      const one = { passed: Number(passed), failed: Number(failed), skipped: Number(ignored) };
      totals = addCounts(totals, one);
    }
    failing = STDOUT.exec(line)?.[1] ?? failing;
    const [, quoted, location] = PANIC.exec(line) ?? [];
    if (location === undefined || failing === null) continue;
    const name = `${target}${failing}`;
    const message = quoted ?? messageFrom(lines, at + 1, 4, (one) => END.test(one));
    cases.set(name, failedCase(name, message, location));
    failing = null;
  }
  return totals === null ? null : testReport('cargo-test', [...cases.values()], totals, []);
}
