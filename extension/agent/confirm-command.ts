/** May the agent run this? The user is asked for each command, but for those that they allowed for good (allowed-commands.ts). */
import { l10n, type MessageItem, type QuickPickItem, window } from 'vscode';
import type { AllowedCommand, AllowedCommands } from './allowed-commands.ts';
import { USER_LIMIT_MS, withinLimit } from './limited.ts';
import { visible } from './shown-text.ts';

/** Asks where it has to. False: no. Rejects when `signal` aborts; what is answered then counts for nothing. */
export async function mayRun(
  allowed: AllowedCommands,
  asked: AllowedCommand,
  folderName: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (allowed.allows(asked)) return true;
  const once: MessageItem = { title: l10n.t('Run Once') };
  const always: MessageItem = { title: l10n.t('Always Allow This Command') };
  const not: MessageItem = { title: l10n.t('Do Not Run'), isCloseAffordance: true };
  const question = window.showWarningMessage(
    l10n.t('The agent wants to run a command in {0}:', folderName),
    { modal: true, detail: visible(asked.command) },
    once,
    always,
    not,
  );
  const answer = await withinLimit(question, signal, USER_LIMIT_MS);
  if (answer === always) await allowed.add(asked);
  return answer === once || answer === always;
}

/** The command: what runs without a question, and taking it back. */
export async function manageAllowedCommands(allowed: AllowedCommands): Promise<void> {
  const all = allowed.all;
  if (all.length === 0) {
    void window.showInformationMessage(
      l10n.t('The agent asks before every command: none is allowed for good in this workspace.'),
    );
    return;
  }
  const items = all.map((one): QuickPickItem & { readonly one: AllowedCommand } => ({
    label: visible(one.command).replaceAll('\n', ' ⏎ '),
    description: one.folder,
    picked: true,
    one,
  }));
  const kept = await window.showQuickPick(items, {
    title: l10n.t('Commands that the agent runs without asking'),
    placeHolder: l10n.t('Clear those that it should ask about again'),
    canPickMany: true,
  });
  if (kept !== undefined) await allowed.keep(kept.map(({ one }) => one));
}
