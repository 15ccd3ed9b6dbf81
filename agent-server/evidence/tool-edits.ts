/**
 * What an agent's tool calls did to test files, put together as a diff, so that weakening tests by a tool shows as
 * it does in a patch. Reads the arguments that editing tools commonly take. What a shell command does to a file
 * stays unseen here; that tests are missing afterwards does not.
 */
import { z } from 'zod';
import type { ObservationContext, ObservedToolCall } from './context.ts';

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

const text = z.string().optional().catch(undefined);
const Replacement = z.object({
  old_string: text,
  old_str: text,
  oldText: text,
  new_string: text,
  new_str: text,
  newText: text,
});
type Replacement = z.infer<typeof Replacement>;
const Arguments = Replacement.extend({
  path: text,
  file_path: text,
  filePath: text,
  content: text,
  file_text: text,
  patch: text,
  diff: text,
  input: text,
  edits: z.array(Replacement).optional().catch(undefined),
});

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
  const parsed = Arguments.safeParse(objectOf(call.arguments));
  if (!parsed.success) return NONE;
  const args = parsed.data;
  const patch = args.patch ?? args.diff ?? args.input;
  if (patch !== undefined) return { diff: testPartOf(patch), written: [] };
  const path = args.path ?? args.file_path ?? args.filePath;
  if (path === undefined || !TEST_PATH.test(path)) return NONE;
  const replacements = [args, ...(args.edits ?? [])].map(linesOf).filter((lines) => lines.length > 0);
  if (replacements.length > 0) {
    return { diff: [`--- a/${path}`, `+++ b/${path}`, ...replacements.map(asHunk)].join('\n'), written: [] };
  }
  return (args.content ?? args.file_text) === undefined ? NONE : { diff: '', written: [path] };
}

function asHunk(lines: readonly string[]): string {
  return ['@@', ...lines].join('\n');
}

/** Only the lines that differ: tools take some context along on both sides. */
function linesOf(one: Replacement): string[] {
  const was = one.old_string ?? one.old_str ?? one.oldText;
  const is = one.new_string ?? one.new_str ?? one.newText;
  if (was === undefined || is === undefined) return [];
  const [removed, added] = [was.split('\n'), is.split('\n')];
  while (removed.length > 0 && added.length > 0 && removed[0] === added[0]) {
    removed.shift();
    added.shift();
  }
  while (removed.length > 0 && added.length > 0 && removed.at(-1) === added.at(-1)) {
    removed.pop();
    added.pop();
  }
  return [...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)];
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

function objectOf(json: string): unknown {
  if (json.length > MAX_ARGUMENT_CHARS) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
