/** The status bar item: serving version and learning state at a glance; a click opens the panel. */
import { type Disposable, StatusBarAlignment, type StatusBarItem, ThemeColor, window } from 'vscode';
import type { AgentServerClient } from './client.ts';
import { PANEL_VIEW_ID } from './panel/panel-host.ts';

const LEARNING = {
  unasked: 'has not been asked for',
  on: 'is on',
  paused: 'is paused',
  off: 'is off',
} as const;

export class StatusBar implements Disposable {
  readonly #item: StatusBarItem;
  readonly #client: AgentServerClient;

  constructor(client: AgentServerClient) {
    this.#client = client;
    this.#item = window.createStatusBarItem('apprentice.status', StatusBarAlignment.Right, 100);
    this.#item.name = 'Apprentice';
    this.#item.command = `${PANEL_VIEW_ID}.focus`;
    this.render();
    this.#item.show();
  }

  render(): void {
    const { state, snapshot, learning } = this.#client;
    const working = snapshot?.training ? '$(sync~spin)' : '$(mortar-board)';
    const offline = state.kind === 'offline' || state.kind === 'retrying';
    const version = snapshot && state.kind === 'connected' ? snapshot.serving.replace('policy@', '') : null;
    const mark = learning === 'on' ? '' : learning === 'paused' ? ' $(debug-pause)' : ' $(circle-slash)';
    this.#item.text = offline
      ? '$(mortar-board) Apprentice $(warning)'
      : `${working} ${version ? `Apprentice ${version}${mark}` : 'Apprentice'}`;
    this.#item.backgroundColor =
      state.kind === 'offline' ? new ThemeColor('statusBarItem.warningBackground') : undefined;
    this.#item.tooltip = tooltip(this.#client);
    this.#item.accessibilityInformation = { label: tooltip(this.#client), role: 'button' };
  }

  dispose(): void {
    this.#item.dispose();
  }
}

function tooltip({ state, snapshot, learning }: AgentServerClient): string {
  if (state.kind === 'offline' || state.kind === 'retrying') return `Apprentice: ${state.message}`;
  if (state.kind !== 'connected' || snapshot === null) return 'Apprentice: open "Agent improvement"';
  const about = learning === null ? '' : `, learning ${LEARNING[learning]}`;
  return `Apprentice: ${snapshot.serving} answers${about}. Open "Agent improvement".`;
}
