/** Consent to learning: the question. The answer lives in the agent-server, a copy of it in consent-memory.ts. */
import { commands, l10n, type Memento, window } from 'vscode';
import { editorRequests } from '../agent-server/protocol/editor.ts';
import type { AgentServerClient } from './client.ts';
import { rememberLearningState } from './consent-memory.ts';
import { PANEL_VIEW_ID } from './manifest.ts';

export class Consent {
  readonly #client: AgentServerClient;
  readonly #memory: Memento;

  constructor(client: AgentServerClient, memory: Memento) {
    this.#client = client;
    this.#memory = memory;
  }

  async remember(): Promise<void> {
    const state = this.#client.learning;
    if (state !== null) await rememberLearningState(this.#memory, state);
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
          'It keeps what it was asked (a staged diff, selected code, a chat), what it proposed and what you made of that, on this machine, and trains the model with it (on a remote worker, once you connect one). Of agents that use it, it keeps what they ask and answer, your changes to their edits as you commit them, and what you run in the half hour after. You can pause or turn it off at any time. Writing works either way.',
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
