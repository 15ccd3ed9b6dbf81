/**
 * What an answer does to files, as far as it can be read off it: arguments of the editing tools that agents commonly
 * have, patches, and search-and-replace blocks in text. Paths are the model's own words: data to compare with, never
 * to open. Whether an edit was made is for the editor to see. Pure.
 */
import { z } from 'zod';
import type { ProposedEdit } from '../protocol/edits.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';

export const MAX_EDITS = 100;
const MAX_TEXT_CHARS = 65_536;

const text = z.string().optional().catch(undefined);
const Replacement = z.object({
  old_string: text,
  old_str: text,
  oldText: text,
  search: text,
  new_string: text,
  new_str: text,
  newText: text,
  replace: text,
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

/** The edits of an answer in its order; those that change nothing are left out. */
export function proposedEdits({
  content,
  toolCalls,
}: Pick<AnswerMessage, 'content' | 'toolCalls'>): ProposedEdit[] {
  return [...blocksOf(content, null), ...toolCalls.flatMap((call) => editsOfCall(call.arguments))]
    .flatMap(whatChanged)
    .filter(({ before, after }) => (before?.length ?? 0) <= MAX_TEXT_CHARS && after.length <= MAX_TEXT_CHARS)
    .slice(0, MAX_EDITS);
}

function editsOfCall(json: string): ProposedEdit[] {
  const parsed = Arguments.safeParse(objectOf(json));
  if (!parsed.success) return [];
  const args = parsed.data;
  const path = args.path ?? args.file_path ?? args.filePath ?? null;
  const patch = args.patch ?? args.diff ?? args.input;
  if (patch !== undefined) return [...editsOfPatch(patch), ...blocksOf(patch, path)];
  if (path === null) return [];
  const replaced = [args, ...(args.edits ?? [])].flatMap((one) => replacement(path, one));
  if (replaced.length > 0) return replaced;
  const whole = args.content ?? args.file_text;
  return whole === undefined ? [] : [{ path, before: null, after: whole }];
}

function replacement(path: string, one: Replacement): ProposedEdit[] {
  const before = one.old_string ?? one.old_str ?? one.oldText ?? one.search;
  const after = one.new_string ?? one.new_str ?? one.newText ?? one.replace;
  return before === undefined || after === undefined ? [] : [{ path, before, after }];
}

const PATCH_FILE = /^\*\*\* (Update|Add|Delete) File: (.+)$/;
const GIT_FILE = /^\+\+\+ (?:b\/)?([^\t]+)/;

/** The two forms of patches that agents write: unified diffs, and `*** Begin Patch`. An edit a hunk. */
function editsOfPatch(patch: string): ProposedEdit[] {
  const edits: ProposedEdit[] = [];
  let path: string | null = null;
  let added = false;
  let before: string[] = [];
  let after: string[] = [];
  const end = (): void => {
    if (path !== null && (before.length > 0 || after.length > 0))
      edits.push({ path, before: added ? null : before.join('\n'), after: after.join('\n') });
    before = [];
    after = [];
  };
  for (const line of patch.split('\n')) {
    const [, verb, named] = PATCH_FILE.exec(line) ?? [];
    const [, of] = GIT_FILE.exec(line) ?? [];
    if (named !== undefined || of !== undefined) {
      end();
      path = verb === 'Delete' || of === '/dev/null' ? null : (named ?? of ?? '').trim();
      added = verb === 'Add';
    } else if (line.startsWith('@@') || line.startsWith('*** ') || line.startsWith('--- ')) end();
    else if (line.startsWith('+')) after.push(line.slice(1));
    else if (line.startsWith('-')) before.push(line.slice(1));
    else if (line.startsWith(' ') || line === '') {
      before.push(line.slice(1));
      after.push(line.slice(1));
    }
  }
  end();
  return edits;
}

const SEARCH = /^(?:<{5,9}|-{5,9}) ?SEARCH>?\s*$/;
const DIVIDER = /^={5,9}\s*$/;
const REPLACE = /^(?:>{5,9}|\+{5,9}) ?REPLACE\s*$/;
const FENCE = /^(?:```|~~~)/;

/** Search-and-replace blocks; the file is `path`, or named on the last line before that is not a fence. */
function blocksOf(answer: string, path: string | null): ProposedEdit[] {
  const edits: ProposedEdit[] = [];
  let part: 'outside' | 'search' | 'replace' = 'outside';
  let named = '';
  let before: string[] = [];
  let after: string[] = [];
  for (const line of answer.split('\n')) {
    if (part === 'outside' && SEARCH.test(line)) {
      part = 'search';
      before = [];
      after = [];
    } else if (part === 'search' && DIVIDER.test(line)) part = 'replace';
    else if (part === 'replace' && REPLACE.test(line)) {
      const file = path ?? named;
      if (file !== '') edits.push({ path: file, before: before.join('\n'), after: after.join('\n') });
      part = 'outside';
    } else if (part === 'search') before.push(line);
    else if (part === 'replace') after.push(line);
    else if (line.trim() !== '' && !FENCE.test(line)) named = line.replaceAll(/[*`#:]/g, '').trim();
  }
  return edits;
}

/** Only the lines that differ: tools take some context along on both sides. */
function whatChanged(edit: ProposedEdit): ProposedEdit[] {
  if (edit.before === null) return edit.after === '' ? [] : [edit];
  const [before, after] = [linesOf(edit.before), linesOf(edit.after)];
  while (before.length > 0 && after.length > 0 && before[0] === after[0]) {
    before.shift();
    after.shift();
  }
  while (before.length > 0 && after.length > 0 && before.at(-1) === after.at(-1)) {
    before.pop();
    after.pop();
  }
  if (before.length === 0 && after.length === 0) return [];
  return [{ path: edit.path, before: before.join('\n'), after: after.join('\n') }];
}

function linesOf(value: string): string[] {
  return value === '' ? [] : value.replaceAll('\r\n', '\n').split('\n');
}

function objectOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // A call whose arguments are no JSON did nothing.
    return null;
  }
}
