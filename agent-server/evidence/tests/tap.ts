/** TAP 13 and 14, with subtests as Node (indented, before their parent) and Vitest (in braces) write them. */
import {
  failedCase,
  passedCase,
  skippedCase,
  type TestCase,
  type TestReport,
  testReport,
} from '../test-report.ts';
import { indentOf, type ToolOutput } from '../tool-output.ts';
import { frameLocation, messageFrom, SuitePath } from './names.ts';

const PLAN = /^\s*1\.\.\d+/;
const POINT = /^(\s*)(not ok|ok)\b(?: \d+)?(?: -)? ?(.*)$/;
const SUBTEST = /^(\s*)# Subtest: (.*)$/;
const COMMENT_COUNT = /^# (pass|fail|skipped) +(\d+)$/;
const DIRECTIVE = /\s# (SKIP|TODO)\b.*$/i;
const TIME = / # time=\S+/;
/** How many lines of a diagnostic block are read. */
const MAX_BLOCK_LINES = 60;

export function readTap({ lines, text }: ToolOutput): TestReport | null {
  if (!/^[ \t]*(?:not )?ok\b/m.test(text)) return null;
  const versioned = lines.some((line) => /^TAP version \d+/.test(line));
  if (!versioned && !(lines.some((line) => PLAN.test(line)) && lines.some((line) => POINT.test(line)))) {
    return null;
  }
  const cases: TestCase[] = [];
  const broken: string[] = [];
  const counts = new Map<string, number>();
  const path = new SuitePath();
  /** Indentation of the deepest point since the last shallower one: who comes after its children is a suite. */
  let deepest = -1;
  for (const [at, line] of lines.entries()) {
    const [, what, count] = COMMENT_COUNT.exec(line) ?? [];
    if (what !== undefined) counts.set(what, Number(count));
    if (line.startsWith('Bail out!')) broken.push(line);
    const subtest = SUBTEST.exec(line);
    if (subtest !== null) path.enter(subtest[1]?.length ?? 0, subtest[2] ?? '');
    const [, indentation, result, rest = ''] = POINT.exec(line) ?? [];
    if (indentation === undefined) continue;
    const indent = indentation.length;
    const title = rest.replace(TIME, '').replace(DIRECTIVE, '').trim();
    if (rest.endsWith('{')) {
      path.enter(indent, title.replace(/ ?\{$/, ''));
      continue;
    }
    const isSuite = deepest > indent;
    deepest = indent;
    if (isSuite) continue;
    const name = path.nameOf(indent, title);
    if (DIRECTIVE.test(rest)) cases.push(skippedCase(name));
    else cases.push(result === 'ok' ? passedCase(name) : readFailure(name, lines, at));
  }
  const totals = {
    passed: counts.get('pass') ?? 0,
    failed: counts.get('fail') ?? 0,
    skipped: counts.get('skipped') ?? 0,
  };
  return testReport('tap', cases, totals, broken);
}

/** The YAML block below (`error:`, `message:`, `location:`, `at:`), or plain indented lines. */
function readFailure(name: string, lines: readonly string[], at: number): TestCase {
  const indent = indentOf(lines[at] ?? '');
  const block: string[] = [];
  for (const line of lines.slice(at + 1, at + 1 + MAX_BLOCK_LINES)) {
    if (line.trim() !== '' && indentOf(line) <= indent) break;
    block.push(line);
  }
  const stack = block.flatMap((line) => frameLocation(frameOf(line)) ?? []);
  const stated = /^\s*(?:location|at): ['"](.+?:\d+)(?::\d+)?['"]$/m.exec(block.join('\n'))?.[1];
  const location = stack[0] ?? stated ?? null;
  return failedCase(name, messageOf(block), location);
}

/** A frame of a YAML `stack:` has no `at` before it. */
function frameOf(line: string): string {
  const frame = line.trim();
  return /:\d+:\d+\)$/.test(frame) && !frame.startsWith('at ') ? `at ${frame}` : frame;
}

function messageOf(block: readonly string[]): string | null {
  if (block[0]?.trim() !== '---') return messageFrom(block, 0, 3, (line) => /^\s+at /.test(line));
  for (const [at, line] of block.entries()) {
    const value = /^\s*(?:error|message): (.*)$/.exec(line)?.[1]?.trim();
    if (value === undefined) continue;
    if (!/^[|>][-+]?$/.test(value)) return value.replace(/^(['"])(.*)\1$/, '$2');
    const depth = indentOf(line);
    const end = (one: string): boolean => one.trim() !== '' && indentOf(one) <= depth;
    return messageFrom(block, at + 1, 3, end);
  }
  return null;
}
