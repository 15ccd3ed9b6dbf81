/** Finds files by a pattern of their names; what is ignored is not among them. */
import { CancellationTokenSource, l10n, RelativePattern, workspace } from 'vscode';
import { z } from 'zod';
import { plainWords } from '../shown-text.ts';
import { type AgentTool, defineTool } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

const MAX_LISTED = 200;
const FIND_TIMEOUT_MS = 10_000;
/** Mostly ignored, and so many that nothing else would be found. */
const NOT_IN = '**/{node_modules,.git,.venv,venv}/**';

const Args = z.object({
  pattern: z.string().max(500).describe('A glob such as **/*.ts or src/**/basket*').default('**/*'),
  folder: z.string().optional().describe('Name of a workspace folder, where there are several'),
});

export function listFilesTool(files: WorkspaceFiles): AgentTool {
  return defineTool(
    'list_files',
    'Lists files of the workspace by a glob pattern.',
    Args,
    async (args, call) => {
      call.stream.progress(l10n.t('Looking for files: {0}', plainWords(args.pattern)));
      const found = await findFiles(files, args, MAX_LISTED, call.signal);
      if (found.paths.length === 0) return 'No files found.';
      const names = found.paths.map((path) => files.name(path)).sort();
      return [...names, ...(found.more ? ['(there are more: give a narrower pattern)'] : [])].join('\n');
    },
  );
}

/** At most `max` files that may be read. `more`: there were others. */
export async function findFiles(
  files: WorkspaceFiles,
  { pattern, folder }: { pattern: string; folder?: string | undefined },
  max: number,
  signal: AbortSignal,
): Promise<{ paths: string[]; more: boolean }> {
  const where = folder === undefined ? files.folders : [files.folder(folder)];
  const late = new CancellationTokenSource();
  const stop = (): void => late.cancel();
  const timer = setTimeout(stop, FIND_TIMEOUT_MS);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const found: string[] = [];
    for (const { path } of where) {
      const uris = await workspace.findFiles(
        new RelativePattern(path, pattern),
        NOT_IN,
        max + 1 - found.length,
        late.token,
      );
      found.push(...uris.flatMap(({ scheme, fsPath }) => (scheme === 'file' ? [fsPath] : [])));
      if (found.length > max) break;
    }
    signal.throwIfAborted();
    return { paths: await files.readable(found.slice(0, max)), more: found.length > max };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    late.dispose();
  }
}
