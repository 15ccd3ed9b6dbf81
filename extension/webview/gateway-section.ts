/** How any other agent reaches the same policy: the gateway's URL and key. The key itself never enters the page. */
import { css, html, LitElement, type TemplateResult } from 'lit';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

export class GatewaySection extends LitElement {
  static override properties = { url: {} };
  declare url: string;

  static override styles = [
    sharedStyles,
    css`
      code { font-family: var(--vscode-editor-font-family); overflow-wrap: anywhere; user-select: all; }
    `,
  ];

  override render(): TemplateResult {
    return html`<section aria-labelledby="gateway-title">
      <h2 id="gateway-title">${t('Gateway')}</h2>
      <p class="muted">${t('Any OpenAI-compatible client on this machine can use the same model, with the key as its API key.')}</p>
      <div class="row">
        <code id="gateway-url">${this.url}</code>
        <vscode-button secondary aria-label=${t('Copy URL of the gateway')} @click=${() => send({ type: 'copyGatewayUrl' })}>${t('Copy URL')}</vscode-button>
        <vscode-button secondary aria-label=${t('Copy key of the gateway')} @click=${() => send({ type: 'copyGatewayKey' })}>${t('Copy key')}</vscode-button>
      </div>
    </section>`;
  }
}
customElements.define('apprentice-gateway', GatewaySection);
