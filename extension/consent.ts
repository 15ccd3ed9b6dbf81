/**
 * Consent to learning. The answer lives in the agent-server; here only the question, and a copy of the last
 * answer by which a window knows at start whether there is anything to connect for.
 */
import { commands, l10n, type Memento, window } from 'vscode';
import { editorRequests, type LearningState } from '../agent-server/protocol/editor.ts';
import type { AgentServerClient } from './client.ts';
import { PANEL_VIEW_ID } from './panel/panel-host.ts';

const KEY = 'apprentice.lastLearningState';

export class Consent {
  readonly #client: AgentServerClient;
  readonly #memory: Memento;

  constructor(client: AgentServerClient, memory: Memento) {
    this.#client = client;
    this.#memory = memory;
  }

  /** Has the user ever answered? Then a window connects at start; before that nothing runs by itself. */
  get answered(): boolean {
    return this.#memory.get<LearningState>(KEY, 'unasked') !== 'unasked';
  }

  async remember(): Promise<void> {
    const state = this.#client.learning;
    if (state !== null && state !== this.#memory.get(KEY)) await this.#memory.update(KEY, state);
  }

  async set(state: 'on' | 'paused' | 'off'): Promise<void> {
    await this.#client.request(editorRequests.setLearning, { state });
  }

  /** Before the first use: asks, with the panel's explanation in sight. False when the user backs out. */
  async ask(): Promise<boolean> {
    const { state } = await this.#client.request(editorRequests.getLearning, {});
    if (state !== 'unasked') return true;
    await commands.executeCommand(`${PANEL_VIEW_ID}.focus`);
    const turnOn = l10n.t('Turn Learning On');
    const notNow = l10n.t('Not Now');
    const answer = await window.showInformationMessage(
      l10n.t('May Apprentice learn from what you do with its answers?'),
      {
        modal: true,
        detail: l10n.t(
          'It keeps what it was asked (a staged diff, selected code, a chat), what it proposed and what you made of that, on this machine, and trains the local model with it. Of agents that use it, it keeps what they ask and answer, and what you run in the half hour after their edits. You can pause or turn it off at any time. Writing works either way.',
        ),
      },
      turnOn,
      notNow,
    );
    if (answer === undefined) return false;
    await this.set(answer === turnOn ? 'on' : 'off');
    return true;
  }
}
