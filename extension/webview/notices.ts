/** What stands in the way right now, each with the button that mends it: connection, model, trust. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelView } from '../panel/messages.ts';
import { shortVersion } from './format.ts';
import { send } from './host.ts';
import { sharedStyles } from './styles.ts';

export class Notices extends LitElement {
  static override properties = { view: { attribute: false } };
  declare view: PanelView;

  static override styles = [
    sharedStyles,
    css`
      .notice {
        border-left: 3px solid var(--vscode-charts-yellow, #cca700); padding: 8px 10px; margin: 0 0 12px;
        background: var(--vscode-textBlockQuote-background); overflow-wrap: anywhere;
      }
      .notice p:last-child { margin: 0; }
      strong { display: block; margin-bottom: 2px; }
    `,
  ];

  override render(): TemplateResult {
    return html`<div role="status">${this.#connection()} ${this.#runtime()} ${this.#trust()} ${this.#engine()} ${this.#tainted()}</div>`;
  }

  #connection(): TemplateResult | typeof nothing {
    const { connection } = this.view;
    if (connection.kind === 'connected' || connection.kind === 'connecting') return nothing;
    const title = connection.kind === 'retrying' ? 'Connecting again' : 'Offline';
    return html`<div class="notice" id="notice-connection">
      <strong>${title}</strong>
      <p>${connection.message}</p>
      <div class="row">
        <vscode-button @click=${() => send({ type: 'retry' })}>Try again</vscode-button>
        <vscode-button secondary @click=${() => send({ type: 'showLog' })}>Show log</vscode-button>
      </div>
    </div>`;
  }

  #runtime(): TemplateResult | typeof nothing {
    if (this.view.runtime === 'ready') return nothing;
    if (this.view.runtime === 'installing') {
      return html`<div class="notice" id="notice-runtime"><strong>Setting up the local model</strong>
        <p>Python packages and the model are being installed; the notification shows each step.</p></div>`;
    }
    return html`<div class="notice" id="notice-runtime">
      <strong>No local model yet</strong>
      <p>Apprentice needs Python packages (PyTorch) and a model of 270 MB. It needs Python 3.10 or newer.</p>
      <vscode-button id="set-up" @click=${() => send({ type: 'setUpRuntime' })}>Set up local model</vscode-button>
    </div>`;
  }

  #trust(): TemplateResult | typeof nothing {
    if (this.view.trusted) return nothing;
    return html`<div class="notice" id="notice-trust">
      <strong>This workspace is not trusted</strong>
      <p>Nothing is captured here.</p>
      <vscode-button secondary @click=${() => send({ type: 'manageTrust' })}>Manage workspace trust</vscode-button>
    </div>`;
  }

  /** Taken back, and still in the weights. */
  #tainted(): TemplateResult | typeof nothing {
    const tainted =
      this.view.snapshot?.versions.filter(
        (version) => version.tainted !== null && version.state !== 'failed',
      ) ?? [];
    if (tainted.length === 0) return nothing;
    return html`<div class="notice" id="notice-tainted">
      <strong>${tainted.map(({ version }) => shortVersion(version)).join(', ')} learnt from something you took back since</strong>
      <p>It is not learnt from any more. To take it out of the weights as well, go back to the last version without it.</p>
      <vscode-button secondary id="forget" @click=${() => send({ type: 'forget' })}>Forget…</vscode-button>
    </div>`;
  }

  #engine(): TemplateResult | typeof nothing {
    const engine = this.view.snapshot?.worker?.engine;
    if (engine === undefined || engine.state === 'ready' || engine.state === 'busy') return nothing;
    const words = {
      starting: 'The model is loading',
      restarting: 'The model is restarting',
      failed: 'The model failed',
    };
    return html`<div class="notice" id="notice-engine"><strong>${words[engine.state]}</strong>
      <p>${engine.detail ?? 'Answers wait until it is ready.'}</p></div>`;
  }
}
customElements.define('apprentice-notices', Notices);
