/**
 * What an answer does to files, as far as it can be read off it: arguments of the editing tools that agents commonly
 * have, patches, and search-and-replace blocks in text. Paths are the model's own words: data to compare with, never
 * to open. Whether an edit was made is for the editor to see. Pure.
 */
import { editArguments } from '../evidence/edit-arguments.ts';
import { blocksOf, editOf } from '../evidence/edit-blocks.ts';
import type { ProposedEdit } from '../protocol/edits.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';

export const MAX_EDITS = 100;

/** The edits of an answer in its order; those that change nothing are left out. */
export function proposedEdits({
  content,
  toolCalls,
}: Pick<AnswerMessage, 'content' | 'toolCalls'>): ProposedEdit[] {
  return [...blocksOf(content, null), ...toolCalls.flatMap((call) => editsOfCall(call.arguments))]
    .flatMap((proposed) => editOf(proposed) ?? [])
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
