/** The status bar item: serving version and learning state at a glance; a click opens the menu (quick-menu.ts). */
import { type Disposable, l10n, StatusBarAlignment, type StatusBarItem, ThemeColor, window } from 'vscode';
import type { LearningState } from '../../agent-server/protocol/editor.ts';
import type { AgentServerClient } from '../client.ts';
import { MENU_COMMAND } from '../manifest.ts';

/** What the item shows of the connection. */
export type Shown = Pick<AgentServerClient, 'state' | 'snapshot' | 'learning'>;

const NOT_STARTED: Shown = { state: { kind: 'idle' }, snapshot: null, learning: null };

export class StatusBar implements Disposable {
  readonly #item: StatusBarItem;

  constructor() {
    this.#item = window.createStatusBarItem('apprentice.status', StatusBarAlignment.Right, 100);
    this.#item.name = 'Apprentice';
    this.#item.command = MENU_COMMAND;
    this.render(NOT_STARTED);
    this.#item.show();
  }

  render(shown: Shown): void {
    const { state, snapshot, learning } = shown;
    const working = snapshot?.training ? '$(sync~spin)' : '$(mortar-board)';
    const offline = state.kind === 'offline' || state.kind === 'retrying';
    const version = snapshot && state.kind === 'connected' ? snapshot.serving.replace('policy@', '') : null;
    const mark = learning === 'on' ? '' : learning === 'paused' ? ' $(debug-pause)' : ' $(circle-slash)';
    this.#item.text = offline
      ? '$(mortar-board) Apprentice $(warning)'
      : `${working} ${version ? `Apprentice ${version}${mark}` : 'Apprentice'}`;
    this.#item.backgroundColor =
      state.kind === 'offline' ? new ThemeColor('statusBarItem.warningBackground') : undefined;
    this.#item.tooltip = tooltip(shown);
    this.#item.accessibilityInformation = { label: tooltip(shown), role: 'button' };
  }

  dispose(): void {
    this.#item.dispose();
  }
}

function tooltip({ state, snapshot, learning }: Shown): string {
  if (state.kind === 'offline' || state.kind === 'retrying') return `Apprentice: ${state.message}`;
  if (state.kind !== 'connected' || snapshot === null)
    return l10n.t('Apprentice: not started yet. Select for what it can do.');
  return `Apprentice: ${l10n.t('{0} answers', snapshot.serving)}${aboutLearning(learning)}`;
}

function aboutLearning(learning: LearningState | null): string {
  switch (learning) {
    case 'on':
      return `, ${l10n.t('learning is on')}`;
    case 'paused':
      return `, ${l10n.t('learning is paused')}`;
    case 'off':
      return `, ${l10n.t('learning is off')}`;
    default:
      return '';
  }
}
