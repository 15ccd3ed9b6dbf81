/**
 * What an agent's tool calls did to test files, put together as a diff, so that weakening tests by a tool shows as
 * it does in a patch. Reads the arguments that editing tools commonly take. What a shell command does to a file
 * stays unseen here; that tests are missing afterwards does not.
 */
import type { ObservationContext, ObservedToolCall } from './context.ts';
import { changedLines, editArguments } from './edit-arguments.ts';

export interface TestEdits {
  /** A unified diff without positions; '' when no call changed a part of a test file. */
  readonly diff: string;
  /** Test files that were written as a whole: what they held before is not known. */
  readonly written: readonly string[];
}

const TEST_PATH =
  /(?:^|[/\\])(?:tests?|__tests__|specs?|__snapshots__)[/\\]|(?:^|[/\\._-])(?:test|spec)s?[._-][^/\\]*$|(?:Tests?|Spec)\.\w+$/;
const PATCH_FILE = /^\*\*\* (Update|Delete|Add) File: (.+)$/;
const MAX_CALLS = 200;
const MAX_ARGUMENT_CHARS = 65_536;

/** The calls after `from` and up to `to`, each a call's id; null or unknown: from the first, to the last. */
export function testEdits(context: ObservationContext, from: string | null, to: string | null): TestEdits {
  const { toolCalls } = context;
  const first = toolCalls.findIndex((call) => call.callId === from) + 1;
  const last = toolCalls.findIndex((call) => call.callId === to);
  const between = toolCalls.slice(first, last === -1 ? undefined : last + 1).slice(-MAX_CALLS);
  const edits = between.map(editOf);
  return {
    diff: edits
      .map((edit) => edit.diff)
      .filter((diff) => diff !== '')
      .join('\n'),
    written: edits.flatMap((edit) => edit.written),
  };
}

const NONE: TestEdits = { diff: '', written: [] };

function editOf(call: ObservedToolCall): TestEdits {
  const args = call.arguments.length > MAX_ARGUMENT_CHARS ? null : editArguments(call.arguments);
  if (args === null) return NONE;
  const { path, patch, replaced, content } = args;
  if (patch !== null) return { diff: testPartOf(patch), written: [] };
  if (path === null || !TEST_PATH.test(path)) return NONE;
  const hunks = replaced.map(changedLines).filter(({ removed, added }) => removed.length + added.length > 0);
  if (hunks.length > 0)
    return { diff: [`--- a/${path}`, `+++ b/${path}`, ...hunks.map(asHunk)].join('\n'), written: [] };
  return content === null ? NONE : { diff: '', written: [path] };
}

function asHunk({ removed, added }: ReturnType<typeof changedLines>): string {
  return ['@@', ...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)].join('\n');
}

/** The parts of a patch that change test files, in unified form. */
function testPartOf(patch: string): string {
  const kept: string[] = [];
  let inTest = false;
  let before = '';
  for (const line of patch.split('\n')) {
    const [, verb, path] = PATCH_FILE.exec(line) ?? [];
    if (path !== undefined) {
      inTest = verb !== 'Add' && TEST_PATH.test(path.trim());
      if (inTest)
        kept.push(`--- a/${path.trim()}`, verb === 'Delete' ? '+++ /dev/null' : `+++ b/${path.trim()}`);
    } else if (line.startsWith('--- ')) {
      before = line;
      inTest = false;
    } else if (line.startsWith('+++ ')) {
      inTest = [before, line].some((header) => TEST_PATH.test(header.slice(4).split('\t')[0] ?? ''));
      if (inTest) kept.push(before, line);
    } else if (inTest) kept.push(line);
  }
  return kept.join('\n');
}
