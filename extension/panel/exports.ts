/** Exports: where to is asked in VS Code's own dialogs, how far it is told in a notification that can cancel it. */
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type CancellationToken, commands, l10n, ProgressLocation, Uri, window } from 'vscode';
import type { ExportFormat } from '../../agent-server/protocol/data.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { WeightVersion } from '../../agent-server/protocol/ids.ts';
import type { AgentServerClient } from '../client.ts';

/** A million turns on a slow disk. */
const EXPORT_LIMIT_MS = 60 * 60_000;

const FILES: Record<ExportFormat, string> = {
  turns: 'apprentice-turns.jsonl',
  trajectories: 'apprentice-trajectories.jsonl',
};

/** Throws what the agent-server throws; a dialog that is closed and a cancelled export are no error. */
export async function exportData(client: AgentServerClient, format: ExportFormat): Promise<void> {
  const title = format === 'turns' ? l10n.t('Export Turns') : l10n.t('Export Trajectories');
  const chosen = await window.showSaveDialog({
    title,
    defaultUri: Uri.file(join(homedir(), FILES[format])),
    filters: { 'JSON lines': ['jsonl'] },
    saveLabel: l10n.t('Export'),
  });
  if (chosen === undefined) return;
  const requestId = randomUUID();
  const exported = await withProgress(l10n.t('{0} to {1}', title, chosen.fsPath), async (report, signal) => {
    const told = client.onProgress((progress) => {
      if (progress.requestId === requestId) report(progress.done, progress.total);
    });
    try {
      const request = { requestId, format, file: chosen.fsPath };
      return await client.request(editorRequests.export, request, { timeoutMs: EXPORT_LIMIT_MS, signal });
    } finally {
      told.dispose();
    }
  });
  if (exported === null) return;
  const done = l10n.t('Exported {0} lines to {1}.', exported.lines.toLocaleString(), chosen.fsPath);
  offer(done, l10n.t('Open'), () => commands.executeCommand('vscode.open', chosen));
}

/** Throws as `exportData` does. */
export async function exportAdapter(client: AgentServerClient, version: WeightVersion): Promise<void> {
  const [folder] =
    (await window.showOpenDialog({
      title: l10n.t('Export {0}', version),
      defaultUri: Uri.file(homedir()),
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: l10n.t('Export Here'),
    })) ?? [];
  if (folder === undefined) return;
  const exported = await withProgress(
    l10n.t('Export {0} to {1}', version, folder.fsPath),
    (_report, signal) =>
      client.request(
        editorRequests.exportAdapter,
        { version, folder: folder.fsPath },
        { timeoutMs: EXPORT_LIMIT_MS, signal },
      ),
  );
  if (exported === null) return;
  const done = l10n.t('Exported {0} to {1}.', version, exported.folder);
  offer(done, l10n.t('Open Model Card'), () =>
    commands.executeCommand('vscode.open', Uri.joinPath(Uri.file(exported.folder), 'README.md')),
  );
}

/** Null when the user cancelled it. */
async function withProgress<R>(
  title: string,
  work: (report: (done: number, total: number) => void, signal: AbortSignal) => Promise<R>,
): Promise<R | null> {
  const options = { location: ProgressLocation.Notification, title, cancellable: true };
  return window.withProgress(options, async (progress, token) => {
    let before = 0;
    const report = (done: number, total: number): void => {
      const percent = total === 0 ? 100 : (100 * done) / total;
      progress.report({
        increment: percent - before,
        message: l10n.t('{0} of {1}', done.toLocaleString(), total.toLocaleString()),
      });
      before = percent;
    };
    try {
      return await work(report, signalOf(token));
    } catch (error) {
      if (token.isCancellationRequested && toApprenticeError(error).code === 'aborted') return null;
      throw error;
    }
  });
}

function signalOf(token: CancellationToken): AbortSignal {
  const cancelled = new AbortController();
  token.onCancellationRequested(() => cancelled.abort());
  return cancelled.signal;
}

/** Not waited for: the notification may stand there for as long as it likes. */
function offer(message: string, action: string, act: () => Thenable<unknown>): void {
  void window
    .showInformationMessage(message, action)
    .then((chosen) => (chosen === action ? act() : undefined));
}
