/** Opens the chat view so that it speaks to the model that learns: in Ask mode, with that model chosen. */
import { commands, l10n, window } from 'vscode';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { VENDOR } from '../manifest.ts';

/**
 * VS Code passes nothing on to a participant before a model is chosen, and lists in Agent mode only models that were
 * taught to call tools. What can be chosen for the user is chosen here. Without a model the view opens all the same.
 */
export async function openChat(): Promise<void> {
  const query = { query: '@apprentice ', isPartialQuery: true, mode: 'ask' };
  try {
    await commands.executeCommand('workbench.action.chat.open', {
      ...query,
      modelSelector: { vendor: VENDOR },
    });
  } catch (error) {
    await commands.executeCommand('workbench.action.chat.open', query);
    void window.showWarningMessage(
      l10n.t('Choose the model "Apprentice" in the chat view: {0}', toApprenticeError(error).message),
    );
  }
}
