/** Each version with what it was trained on, what the gate measured, and what can be done with it. Newest first. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, nothing, type TemplateResult } from 'lit';
import type { PanelVersion } from '../../agent-server/protocol/panel.ts';
import { decimal, learntFrom, shortVersion, TAINTED, timeAgo, VERSION_STATES } from './format.ts';
import './gate-report.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { PagedList } from './paged-list.ts';

const PAGE = 5;

export class VersionList extends PagedList {
  static override properties = { versions: { attribute: false }, serving: {} };
  declare versions: PanelVersion[];
  declare serving: string;

  static override styles = [
    ...PagedList.styles,
    css`
      article { border: 1px solid var(--vscode-panel-border, #8884); border-radius: 6px; padding: 8px 10px; }
      article[data-serving='true'] { border-color: var(--vscode-focusBorder); }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; margin: 6px 0; font-size: 0.92em; }
      dt { color: var(--vscode-descriptionForeground); }
      dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
      .buttons { margin-top: 8px; }
    `,
  ];

  constructor() {
    super(PAGE);
  }

  override render(): TemplateResult | typeof nothing {
    const trained = this.versions.filter(({ parent }) => parent !== null);
    if (trained.length === 0) return nothing;
    return html`<section aria-labelledby="reports-title">
      <h2 id="reports-title">${t('What was measured')}</h2>
      ${this.paged(trained, (version) => this.#card(version))}
    </section>`;
  }

  #card(version: PanelVersion): TemplateResult {
    const { metrics, figures, reason, tainted, parent, state, kept } = version;
    const serves = version.version === this.serving;
    return html`<article aria-labelledby="title-${version.version}" data-serving=${serves}>
      <h3 id="title-${version.version}">${version.version} · ${VERSION_STATES[serves ? 'serving' : state]}</h3>
      <dl>
        <dt>${t('Learnt from')}</dt><dd>${t('{0}, on top of {1}', learntFrom(version), shortVersion(parent ?? ''))}, ${timeAgo(version.createdAt, this.now)}</dd>
        ${reason === null ? nothing : html`<dt>${t('Decision')}</dt><dd>${reason}</dd>`}
        ${tainted === null ? nothing : html`<dt>${t('Taken back')}</dt><dd>${TAINTED[tainted]}</dd>`}
        ${
          metrics === null
            ? nothing
            : html`<dt>${t('Step')}</dt><dd>${t('loss {0}, gradient norm {1}, {2} tokens in {3} s', decimal(metrics.loss, 3), decimal(metrics.gradNorm, 2), metrics.trainedTokens, decimal(metrics.seconds, 1))}</dd>`
        }
      </dl>
      ${figures === null ? nothing : html`<apprentice-gate-report .figures=${figures}></apprentice-gate-report>`}
      ${kept && state !== 'training' ? this.#buttons(version) : nothing}
    </article>`;
  }

  #buttons({ version, state }: PanelVersion): TemplateResult {
    return html`<div class="row buttons">
      ${
        state === 'retired'
          ? html`<vscode-button secondary aria-label=${t('Serve this one: {0}', version)} @click=${() => send({ type: 'serveVersion', version })}>${t('Serve this one')}</vscode-button>`
          : nothing
      }
      <vscode-button secondary aria-label=${t('Export {0}…', version)} @click=${() => send({ type: 'exportAdapter', version })}>${t('Export…')}</vscode-button>
    </div>`;
  }
}
customElements.define('apprentice-versions', VersionList);
