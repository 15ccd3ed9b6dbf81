/** The menu behind the status bar item. Each entry does what a command or a button of the panel does. */
import { basename } from 'node:path';
import { commands, l10n, window } from 'vscode';
import type { AgentServerClient } from '../client.ts';
import type { Consent } from '../consent.ts';
import { PANEL_VIEW_ID } from '../manifest.ts';
import type { RuntimeSetup } from '../runtime-setup.ts';
import { readSettings } from '../settings.ts';
import { type MenuEntry, type MenuState, menuEntries, menuTitle } from './menu-entries.ts';

export interface QuickMenuParts {
  client: AgentServerClient;
  consent: Consent;
  runtime: RuntimeSetup;
  showError(error: unknown): Promise<void>;
}

const COMMANDS = {
  openPanel: `${PANEL_VIEW_ID}.focus`,
  write: 'apprentice.writeCommitMessage',
  connectAgent: 'apprentice.connectAgent',
  setUp: 'apprentice.setUpRuntime',
  showLog: 'apprentice.showLog',
} as const;

export async function showQuickMenu(parts: QuickMenuParts): Promise<void> {
  const state = menuState(parts);
  const picked = await window.showQuickPick(
    menuEntries(state, l10n.t).map((entry) => ({ ...entry })),
    { title: `Apprentice: ${menuTitle(state, l10n.t)}` },
  );
  if (picked === undefined) return;
  try {
    await perform(picked.action, parts);
  } catch (error) {
    await parts.showError(error);
  }
}

async function perform(action: MenuEntry['action'], { client, consent }: QuickMenuParts): Promise<void> {
  switch (action) {
    case 'pause':
      return consent.set('paused');
    case 'resume':
      return consent.set('on');
    case 'retry':
      return client.start();
    default:
      await commands.executeCommand(COMMANDS[action]);
  }
}

function menuState({ client, runtime }: QuickMenuParts): MenuState {
  const { model } = readSettings();
  const { state, snapshot, learning } = client;
  return {
    modelName: model === null ? null : basename(model),
    version: state.kind === 'connected' ? (snapshot?.serving ?? null) : null,
    learning,
    connection: state.kind,
    runtime: runtime.state(snapshot),
  };
}
