/**
 * Edits: a piece of a file becomes another, or a new file comes. Both are proposed in place and reviewed hunk by hunk
 * (review/); the call ends when the user has decided, and tells the model what they decided.
 */
import { mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { l10n, type TextDocument, Uri } from 'vscode';
import { z } from 'zod';
import type { AgentRuns } from '../../capture/runs/agent-runs.ts';
import type { AgentEdit, ProposedReview, ReviewEnd } from '../../review/agent-edit.ts';
import { USER_LIMIT_MS, withinLimit } from '../limited.ts';
import { isWithin } from '../place.ts';
import { replacementOf, replaceOnce } from '../search-replace.ts';
import { inlineCode, plainWords } from '../shown-text.ts';
import { type AgentTool, type CallContext, defineTool, ToolError } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

export interface EditParts {
  readonly files: WorkspaceFiles;
  /** Puts an edit under review (review/). */
  propose(document: TextDocument, edit: AgentEdit): Promise<ProposedReview>;
  readonly runs: AgentRuns;
}

const MAX_TEXT_CHARS = 65_536;
const MAX_COMMENT_CHARS = 2_000;
const text = z.string().max(MAX_TEXT_CHARS);
const path = z.string().describe('Relative to the workspace folder');

const EditArgs = z.object({
  path,
  old_string: text.describe(
    'The text to replace, as it stands in the file, with enough lines to stand there once',
  ),
  new_string: text.describe('What stands there instead'),
});
const CreateArgs = z.object({ path, content: text.describe('The whole text of the file') });

export function editFileTool(parts: EditParts): AgentTool {
  const what = 'Replaces a piece of a file. The user reviews the change; the result says what they decided.';
  return defineTool('edit_file', what, EditArgs, async (args, call) => {
    const place = await parts.files.changeable(args.path);
    const document = await parts.files.open(place);
    const replaced = replaceOnce(lf(document.getText()), lf(args.old_string), lf(args.new_string));
    if (replaced.kind !== 'replaced') throw new ToolError(whyNot(replaced, args.path));
    const { lines } = replaced;
    const asAnswer = (left: readonly string[]): string | null => replacementOf(lines, left);
    return reviewed(parts, document, { ...lines, asAnswer }, call);
  });
}

export function createFileTool(parts: EditParts): AgentTool {
  const what = 'Makes a new file. The user reviews it; the result says what they decided.';
  return defineTool('create_file', what, CreateArgs, async (args, call) => {
    if (args.content === '')
      throw new ToolError('There is nothing to review in an empty file: give it a line.');
    const place = await parts.files.free(args.path);
    const made = await mkdir(dirname(place.path), { recursive: true });
    // Empty until it is reviewed; not over one that came meanwhile.
    await writeFile(place.path, '', { flag: 'wx' });
    try {
      const document = await parts.files.open(place);
      const content = lf(args.content);
      const ends = content.endsWith('\n') ? '\n' : '';
      const asAnswer = (left: readonly string[]): string => `${left.join('\n').replace(/\n$/, '')}${ends}`;
      const lines = { first: 0, original: [''], proposed: content.split('\n') };
      return await reviewed(parts, document, { ...lines, asAnswer }, call);
    } finally {
      // Nothing of it was wanted, or it was left: an empty file says nothing.
      if ((await sizeOf(place.path)) === 0) await takeAway(place.path, made);
    }
  });
}

/** The file, and the folders that were made for it, from `made` on, as far as nothing else came into them. */
async function takeAway(file: string, made: string | undefined): Promise<void> {
  await rm(file, { force: true });
  if (made === undefined) return;
  try {
    for (let folder = dirname(file); isWithin(made, folder); folder = dirname(folder)) await rmdir(folder);
  } catch {
    // Not empty, or gone already.
  }
}

async function reviewed(
  { propose, files, runs }: EditParts,
  document: TextDocument,
  lines: Pick<AgentEdit, 'first' | 'original' | 'proposed' | 'asAnswer'>,
  { turnId, callId, stream, signal }: CallContext,
): Promise<string> {
  const file = document.uri.fsPath;
  const name = files.name(file);
  // A review that was rejected leaves the document changed, with nothing in it that is not on the disk.
  const clean = !document.isDirty || (await readFile(file, 'utf8')) === document.getText();
  const reviewing = runs.reviewing(file);
  try {
    const review = await propose(document, { ...lines, turnId, callId });
    if (review.kind === 'same') return `${name} stays as it is: the change changes nothing.`;
    if (review.kind === 'refused') throw new ToolError(review.why);
    stream.progress(l10n.t('Waiting for your review of {0}', plainWords(name)));
    stream.reference(Uri.file(file));
    const ended = await withinLimit(review.ended, signal, USER_LIMIT_MS);
    tell(stream, name, ended);
    const decision = ended?.decision;
    if (decision !== 'accepted' && decision !== 'edited') return wordsFor(name, ended);
    runs.reviewed(turnId, file, decision);
    // What is run next is to see it; what the user had not saved is theirs to save.
    const saved = clean && (await document.save());
    return `${wordsFor(name, ended)}${saved ? '' : ' The file is not saved yet.'}`;
  } finally {
    reviewing.dispose();
  }
}

function tell(stream: CallContext['stream'], name: string, ended: ReviewEnd | null): void {
  const file = inlineCode(name);
  if (ended?.decision === 'accepted')
    stream.markdown(`\n\n${l10n.t('You accepted the edit of {0}.', file)}\n\n`);
  else if (ended?.decision === 'edited')
    stream.markdown(`\n\n${l10n.t('You took the edit of {0} in part, or changed it.', file)}\n\n`);
  else if (ended?.decision === 'rejected')
    stream.markdown(`\n\n${l10n.t('You rejected the edit of {0}.', file)}\n\n`);
  else stream.markdown(`\n\n${l10n.t('The edit of {0} was left without a decision.', file)}\n\n`);
}

function wordsFor(name: string, ended: ReviewEnd | null): string {
  const said = ended?.comments.join(' ').slice(0, MAX_COMMENT_CHARS) ?? '';
  const why = said === '' ? '' : ` They said: ${said}`;
  switch (ended?.decision) {
    case 'accepted':
      return `The user accepted the edit of ${name}.`;
    case 'edited':
      return `The user took the edit of ${name} in part, or changed it.${why} Those lines are now:\n${ended.left}`;
    case 'rejected':
      return `Error: the user rejected the edit of ${name}, which is as it was before.${why}`;
    default:
      return `The edit of ${name} was not decided on. Read the file before you go on.`;
  }
}

function whyNot(
  replaced: Exclude<ReturnType<typeof replaceOnce>, { kind: 'replaced' }>,
  named: string,
): string {
  switch (replaced.kind) {
    case 'empty':
      return 'old_string is empty. To make a new file use create_file.';
    case 'same':
      return 'old_string and new_string are the same.';
    case 'missing':
      return `old_string does not stand in ${named}. Read the file and take it as it stands there.`;
    case 'several':
      return `old_string stands in ${named} ${replaced.count} times. Take more lines along, so that it stands there once.`;
  }
}

function lf(value: string): string {
  return value.replaceAll('\r\n', '\n');
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    ({ size }) => size,
    () => null,
  );
}
