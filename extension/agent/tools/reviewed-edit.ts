/**
 * What both tools that edit have in common: the edit is proposed in place and reviewed hunk by hunk (review/); the call ends
 * when the user has decided, and tells the model what they decided.
 */
import { readFile } from 'node:fs/promises';
import { l10n, type TextDocument, Uri } from 'vscode';
import { z } from 'zod';
import type { AgentRuns } from '../../capture/runs/agent-runs.ts';
import type { AgentEdit, ProposedReview, ReviewEnd } from '../../review/agent-edit.ts';
import { USER_LIMIT_MS, withinLimit } from '../limited.ts';
import { inlineCode, plainWords } from '../shown-text.ts';
import { type CallContext, ToolError } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

export interface EditParts {
  readonly files: WorkspaceFiles;
  /** Puts an edit under review (review/). */
  propose(document: TextDocument, edit: AgentEdit): Promise<ProposedReview>;
  readonly runs: AgentRuns;
}

const MAX_TEXT_CHARS = 65_536;
const MAX_COMMENT_CHARS = 2_000;

/** Arguments that both take. */
export const text = z.string().max(MAX_TEXT_CHARS);
export const path = z.string().describe('Relative to the workspace folder');

/** Puts the edit under review; what the model is told of its end. */
export async function reviewed(
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

/** As it is compared and replaced, whatever the document has. */
export function lf(value: string): string {
  return value.replaceAll('\r\n', '\n');
}
