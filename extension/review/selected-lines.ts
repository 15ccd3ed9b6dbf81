/** Which lines an edit is asked for, and what goes with them: whole lines, from text to text. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { type TextDocument, type TextEditor, workspace } from 'vscode';
import type { SelectedCode } from '../../agent-server/protocol/editor.ts';
import type { LineRange } from './line-range.ts';
import { linesOf } from './proposal.ts';

/** The server takes what fits its budget of these. */
const LINES_AROUND = 40;
const MAX_AROUND_CHARS = 8_192;

/** The selected lines, without blank ones at either end; without a selection, the line of the cursor. */
export function selectedLines({ document, selection }: TextEditor): LineRange {
  const { start, end } = selection;
  // A selection that ends before the first character of a line has nothing of that line.
  const after = end.line > start.line && end.character === 0 ? end.line : end.line + 1;
  const said = (line: number): boolean => !document.lineAt(line).isEmptyOrWhitespace;
  const lines = Array.from({ length: after - start.line }, (_, index) => start.line + index);
  const [first, last] = [lines.find(said), lines.findLast(said)];
  return first === undefined || last === undefined
    ? { start: start.line, end: start.line + 1 }
    : { start: first, end: last + 1 };
}

/** Null: what looks like a secret is among the lines, and they can neither be sent nor be sent without it. */
export async function selectedCode(
  document: TextDocument,
  range: LineRange,
  instruction: string,
  scrub: (text: string) => Promise<string>,
): Promise<SelectedCode | null> {
  const lineAt = (line: number): string => document.lineAt(line).text;
  const text = (start: number, end: number): string => linesOf({ start, end }, lineAt).join('\n');
  const code = text(range.start, range.end);
  const before = text(Math.max(0, range.start - LINES_AROUND), range.start);
  const after = text(range.end, Math.min(document.lineCount, range.end + LINES_AROUND));
  if ((await scrub(code)) !== code) return null;
  return {
    repositoryRoot: workspace.getWorkspaceFolder(document.uri)?.uri.fsPath ?? null,
    documentSha256: createHash('sha256').update(document.uri.toString()).digest('hex'),
    language: document.languageId,
    fileName: nameOf(document) || document.languageId,
    instruction: await scrub(instruction),
    code,
    before: (await scrub(before)).slice(-MAX_AROUND_CHARS),
    after: (await scrub(after)).slice(0, MAX_AROUND_CHARS),
  };
}

export function nameOf({ uri }: TextDocument): string {
  return basename(uri.path);
}
