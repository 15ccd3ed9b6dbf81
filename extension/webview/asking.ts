/** What a part of the page asks the agent-server for while it is shown: loading, there, or why not. */
import { html, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from 'lit';
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { t } from './l10n.ts';

/** While much is learnt the store changes several times a second; such an answer need not. */
const REFRESH_MS = 2_000;

export class Asking<T> implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #load: () => Promise<T>;
  #value: T | null = null;
  #error: string | null = null;
  #refresh: number | undefined;

  constructor(host: ReactiveControllerHost, load: () => Promise<T>) {
    this.#host = host;
    this.#load = load;
    host.addController(this);
  }

  /** Null until there is an answer. */
  get value(): T | null {
    return this.#value;
  }

  hostConnected(): void {
    void this.#ask();
  }

  hostDisconnected(): void {
    window.clearTimeout(this.#refresh);
    this.#refresh = undefined;
  }

  /** Something may be different now: asks again after a while, once. */
  changed(): void {
    this.#refresh ??= window.setTimeout(() => {
      this.#refresh = undefined;
      void this.#ask();
    }, REFRESH_MS);
  }

  render(drawn: (value: T) => TemplateResult): TemplateResult {
    if (this.#error !== null)
      return html`<div class="problem" role="alert">
        <p>${this.#error}</p>
        <vscode-button secondary @click=${() => this.#ask()}>${t('Try again')}</vscode-button>
      </div>`;
    return this.#value === null
      ? html`<p class="muted loading" role="status">${t('Loading…')}</p>`
      : drawn(this.#value);
  }

  async #ask(): Promise<void> {
    try {
      this.#value = await this.#load();
      this.#error = null;
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
    }
    this.#host.requestUpdate();
  }
}
