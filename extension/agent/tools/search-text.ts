/**
 * Searches files for a text. VS Code's own search is no stable API, so files are read here, within limits. A plain text
 * and no expression: one that a model wrote can take for ever.
 */
import { readFile, stat } from 'node:fs/promises';
import { l10n, workspace } from 'vscode';
import { z } from 'zod';
import { plainWords } from '../shown-text.ts';
import { type AgentTool, defineTool } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';
import { findFiles } from './list-files.ts';

const MAX_FILES = 2_000;
const MAX_FILE_BYTES = 524_288;
const MAX_MATCHES = 100;
const MAX_LINE_CHARS = 240;
const LIMIT_MS = 15_000;

const Args = z.object({
  text: z.string().min(1).max(500).describe('The text to look for, as it stands; not an expression'),
  pattern: z.string().max(500).default('**/*').describe('A glob of the files to search'),
  folder: z.string().optional().describe('Name of a workspace folder, where there are several'),
});

export function searchTextTool(files: WorkspaceFiles): AgentTool {
  return defineTool(
    'search_text',
    'Searches the files of the workspace for a text, whatever its case.',
    Args,
    async (args, call) => {
      call.stream.progress(l10n.t('Searching for {0}', plainWords(args.text)));
      const signal = AbortSignal.any([call.signal, AbortSignal.timeout(LIMIT_MS)]);
      const { paths, more } = await findFiles(files, args, MAX_FILES, call.signal);
      const matches: string[] = [];
      let all = !more;
      for (const path of paths) {
        call.signal.throwIfAborted();
        all &&= !signal.aborted && matches.length < MAX_MATCHES;
        if (signal.aborted || matches.length >= MAX_MATCHES) break;
        matches.push(...matchesIn(files.name(path), await textOf(path), args.text));
      }
      const rest = all ? [] : ['(not all files were searched, or there are more: give a narrower pattern)'];
      const shown = matches.slice(0, MAX_MATCHES);
      return shown.length === 0 && rest.length === 0 ? 'No matches found.' : [...shown, ...rest].join('\n');
    },
  );
}

/** `name:line: text` of each line that has it. */
export function matchesIn(name: string, text: string | null, wanted: string): string[] {
  const needle = wanted.toLowerCase();
  if (text === null || !text.toLowerCase().includes(needle)) return [];
  return text
    .split(/\r?\n/)
    .flatMap((line, index) =>
      line.toLowerCase().includes(needle)
        ? [`${name}:${index + 1}: ${line.trim().slice(0, MAX_LINE_CHARS)}`]
        : [],
    );
}

/** As the editor has it, else from the disk. Null: too large, or no text. */
async function textOf(path: string): Promise<string | null> {
  const open = workspace.textDocuments.find(({ uri }) => uri.scheme === 'file' && uri.fsPath === path);
  if (open !== undefined) return open.getText();
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) return null;
    const text = await readFile(path, 'utf8');
    return text.includes('\0') ? null : text;
  } catch {
    // Taken away meanwhile.
    return null;
  }
}
