/** Reads a file, or some of its lines, as the editor has it: with what is not saved yet. */
import { l10n, Uri } from 'vscode';
import { z } from 'zod';
import { plainWords } from '../shown-text.ts';
import { type AgentTool, defineTool } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

const line = z.int().min(1).optional();
const Args = z.object({
  path: z.string().describe('Relative to the workspace folder'),
  start_line: line.describe('First line, from 1'),
  end_line: line.describe('Last line'),
});

export function readFileTool(files: WorkspaceFiles): AgentTool {
  return defineTool('read_file', 'Reads a text file, or some of its lines.', Args, async (args, call) => {
    const place = await files.existing(args.path);
    const document = await files.open(place);
    const name = files.name(place.path);
    call.stream.progress(l10n.t('Reading {0}', plainWords(name)));
    call.stream.reference(Uri.file(place.path));
    const lines = document.getText().replaceAll('\r\n', '\n').split('\n');
    return linesShown(name, lines, args, call.maxChars);
  });
}

/** Whole lines, as many as there is room for, and where to go on. */
export function linesShown(
  name: string,
  lines: readonly string[],
  {
    start_line: from = 1,
    end_line: to = lines.length,
  }: { start_line?: number | undefined; end_line?: number | undefined },
  maxChars: number,
): string {
  const wanted = lines.slice(from - 1, to);
  const shown: string[] = [];
  let chars = 0;
  for (const one of wanted) {
    chars += one.length + 1;
    if (chars > maxChars && shown.length > 0) break;
    shown.push(one.slice(0, maxChars));
  }
  const last = from + shown.length - 1;
  if (shown.length === 0) return `${name} has ${lines.length} lines, and none of those.`;
  const more = shown.length < wanted.length ? `\n(cut: go on with start_line ${last + 1})` : '';
  return `${name}, lines ${from} to ${last} of ${lines.length}:\n${shown.join('\n')}${more}`;
}
