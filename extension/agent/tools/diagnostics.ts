/** What language servers and linters say of a file, or of all of them. */
import { type Diagnostic, DiagnosticSeverity, l10n, languages, Uri } from 'vscode';
import { z } from 'zod';
import { plainWords } from '../shown-text.ts';
import { type AgentTool, defineTool } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

const MAX_PROBLEMS = 60;
/** Files with problems that are looked at. */
const MAX_FILES = 200;
const MAX_MESSAGE_CHARS = 500;

const Args = z.object({ path: z.string().optional().describe('One file; without it all files') });

export function diagnosticsTool(files: WorkspaceFiles): AgentTool {
  return defineTool(
    'get_diagnostics',
    'Tells the errors and warnings that the editor knows of.',
    Args,
    async ({ path }, call) => {
      call.stream.progress(
        path === undefined ? l10n.t('Reading problems') : l10n.t('Reading problems in {0}', plainWords(path)),
      );
      const problems = await problemsOf(files, path);
      if (problems.length === 0) return 'No errors or warnings found.';
      const more = problems.length > MAX_PROBLEMS ? [`(${problems.length - MAX_PROBLEMS} more)`] : [];
      return [...problems.slice(0, MAX_PROBLEMS), ...more].join('\n');
    },
  );
}

/** Errors first. */
async function problemsOf(files: WorkspaceFiles, path: string | undefined): Promise<string[]> {
  const found: [string, readonly Diagnostic[]][] = [];
  if (path === undefined) {
    const all = languages.getDiagnostics().filter(([uri, said]) => uri.scheme === 'file' && said.length > 0);
    const byPath = new Map(all.slice(0, MAX_FILES).map(([uri, said]) => [uri.fsPath, said]));
    for (const one of await files.readable([...byPath.keys()])) found.push([one, byPath.get(one) ?? []]);
  } else {
    const place = await files.existing(path);
    found.push([place.path, languages.getDiagnostics(Uri.file(place.path))]);
  }
  return found
    .flatMap(([file, said]) => said.map((diagnostic) => ({ file, diagnostic })))
    .filter(({ diagnostic: { severity } }) => severity <= DiagnosticSeverity.Warning)
    .toSorted((a, b) => a.diagnostic.severity - b.diagnostic.severity)
    .map(({ file, diagnostic: { range, severity, source, message } }) => {
      const kind = severity === DiagnosticSeverity.Error ? 'error' : 'warning';
      const who = source === undefined ? '' : ` (${source})`;
      const where = `${files.name(file)}:${range.start.line + 1}:${range.start.character + 1}`;
      return `${where}: ${kind}: ${message.slice(0, MAX_MESSAGE_CHARS)}${who}`;
    });
}
