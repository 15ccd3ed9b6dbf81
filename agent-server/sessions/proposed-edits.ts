/**
 * What an answer does to files, as far as it can be read off it: arguments of the editing tools that agents commonly
 * have, patches, and search-and-replace blocks in text. Paths are the model's own words: data to compare with, never
 * to open. Whether an edit was made is for the editor to see. Pure.
 */
import { changedLines, editArguments } from '../evidence/edit-arguments.ts';
import type { ProposedEdit } from '../protocol/edits.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';

export const MAX_EDITS = 100;
const MAX_TEXT_CHARS = 65_536;

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
  const args = editArguments(json);
  if (args === null) return [];
  const { path, patch, replaced, content } = args;
  if (patch !== null) return [...editsOfPatch(patch), ...blocksOf(patch, path)];
  if (path === null) return [];
  if (replaced.length > 0) return replaced.map((one) => ({ path, ...one }));
  return content === null ? [] : [{ path, before: null, after: content }];
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

/** Only the lines that differ. */
function whatChanged({ path, before, after }: ProposedEdit): ProposedEdit[] {
  if (before === null) return after === '' ? [] : [{ path, before, after }];
  const { removed, added } = changedLines({ before, after });
  if (removed.length === 0 && added.length === 0) return [];
  return [{ path, before: removed.join('\n'), after: added.join('\n') }];
}
