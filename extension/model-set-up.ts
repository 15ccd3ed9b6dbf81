/**
 * What the user is asked and told about the model: what setting it up costs, that there is none yet, that a request
 * failed. Installing it is runtime-setup.ts.
 */
import { type LogOutputChannel, l10n, window } from 'vscode';
import { toApprenticeError } from '../agent-server/protocol/errors.ts';
import type { AgentServerClient } from './client.ts';
import type { RuntimeSetup } from './runtime-setup.ts';
import { readSettings } from './settings.ts';

export class ModelSetUp {
  readonly #client: AgentServerClient;
  readonly #runtime: RuntimeSetup;
  readonly #log: LogOutputChannel;

  constructor(client: AgentServerClient, runtime: RuntimeSetup, log: LogOutputChannel) {
    this.#client = client;
    this.#runtime = runtime;
    this.#log = log;
  }

  state(): ReturnType<RuntimeSetup['state']> {
    return this.#runtime.state(this.#client.snapshot);
  }

  /** Sets it up, and connects anew; a failure is shown. */
  readonly run = async (): Promise<void> => {
    try {
      await this.#runtime.run();
      await this.#client.reconnect();
    } catch (error) {
      await this.showError(error);
    }
  };

  /** Tells what it costs, and sets it up on a yes. */
  async confirm(): Promise<void> {
    const begin = l10n.t('Set Up');
    const detail = l10n.t(
      'Python packages and a small model are downloaded into {0}: some 1.8 GB, and a few minutes.',
      readSettings().home,
    );
    const question = l10n.t('Set up the local model?');
    if ((await window.showInformationMessage(question, { modal: true, detail }, begin)) === begin)
      await this.run();
  }

  /** Shows what went wrong; where the model is missing, with the offer to set it up. */
  readonly showError = async (thrown: unknown): Promise<void> => {
    const error = toApprenticeError(thrown);
    this.#log.error(`${error.code}: ${error.message}`);
    if (error.code === 'aborted') return;
    const message = `${error.message} ${error.remedy}`.trim();
    if (this.state() === 'missing') return this.#offer(message);
    const showLog = l10n.t('Show Log');
    if ((await window.showErrorMessage(message, showLog)) === showLog) this.#log.show();
  };

  /** Is there a model to ask? Where not, the user is told how to get one. */
  readonly ready = (): boolean => {
    const state = this.state();
    if (state === 'missing') {
      void this.#offer(
        l10n.t('Apprentice has no local model yet: it needs Python packages and a model, some 1.8 GB.'),
      );
    } else if (state === 'installing') {
      void window.showInformationMessage(l10n.t('The local model is still being set up.'));
    }
    return state === 'ready';
  };

  async #offer(message: string): Promise<void> {
    const setUpModel = l10n.t('Set Up Local Model');
    if ((await window.showErrorMessage(message, setUpModel)) === setUpModel) await this.run();
  }
}
