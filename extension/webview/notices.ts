/** What stands in the way right now, each with the button that mends it: connection, model, trust. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelView } from '../panel/messages.ts';
import { shortVersion } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
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
    const title = connection.kind === 'retrying' ? t('Connecting again') : t('Offline');
    return html`<div class="notice" id="notice-connection">
      <strong>${title}</strong>
      <p>${connection.message}</p>
      <div class="row">
        <vscode-button @click=${() => send({ type: 'retry' })}>${t('Try again')}</vscode-button>
        <vscode-button secondary @click=${() => send({ type: 'showLog' })}>${t('Show log')}</vscode-button>
      </div>
    </div>`;
  }

  #runtime(): TemplateResult | typeof nothing {
    if (this.view.runtime === 'ready') return nothing;
    if (this.view.runtime === 'installing') {
      return html`<div class="notice" id="notice-runtime"><strong>${t('Setting up the local model')}</strong>
        <p>${t('Python packages and the model are being installed; the notification shows each step.')}</p></div>`;
    }
    return html`<div class="notice" id="notice-runtime">
      <strong>${t('No local model yet')}</strong>
      <p>${t('Answers need a model: here, with Python 3.10 or newer and some 1.8 GB for packages (PyTorch) and a small model, or on a machine with a GPU. All else works without it.')}</p>
      <div class="row">
        <vscode-button id="set-up" @click=${() => send({ type: 'setUpRuntime' })}>${t('Set up local model')}</vscode-button>
        <vscode-button secondary @click=${() => send({ type: 'connectWorker' })}>${t('Connect remote worker…')}</vscode-button>
      </div>
    </div>`;
  }

  #trust(): TemplateResult | typeof nothing {
    if (this.view.trusted) return nothing;
    return html`<div class="notice" id="notice-trust">
      <strong>${t('This workspace is not trusted')}</strong>
      <p>${t('Nothing is captured here.')}</p>
      <vscode-button secondary @click=${() => send({ type: 'manageTrust' })}>${t('Manage workspace trust')}</vscode-button>
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
      <strong>${t('{0} learnt from something you took back since', tainted.map(({ version }) => shortVersion(version)).join(', '))}</strong>
      <p>${t('It is not learnt from any more. To take it out of the weights as well, go back to the last version without it.')}</p>
      <vscode-button secondary id="forget" @click=${() => send({ type: 'forget' })}>${t('Forget…')}</vscode-button>
    </div>`;
  }

  #engine(): TemplateResult | typeof nothing {
    const engine = this.view.snapshot?.worker?.engine;
    if (engine === undefined || engine.state === 'ready' || engine.state === 'busy') return nothing;
    const words = {
      starting: t('The model is loading'),
      restarting: t('The model is restarting'),
      failed: t('The model failed'),
    };
    return html`<div class="notice" id="notice-engine"><strong>${words[engine.state]}</strong>
      <p>${engine.detail ?? t('Answers wait until it is ready.')}</p></div>`;
  }
}
customElements.define('apprentice-notices', Notices);
