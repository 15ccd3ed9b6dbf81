/** The weight versions as a line from the base to what serves now; the table under it says the same in words. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type PropertyValues, svg, type TemplateResult } from 'lit';
import type { PanelVersion } from '../../agent-server/protocol/panel.ts';
import { decimal, learntFrom, shortVersion, TAINTED, timeAgo, VERSION_STATES } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

/** Older ones stand in the table. */
const SHOWN = 12;
const STEP = 56;
const MIDDLE = 22;

export class VersionLineage extends LitElement {
  static override properties = { versions: { attribute: false }, serving: {}, now: { attribute: false } };
  declare versions: PanelVersion[];
  declare serving: string;
  declare now: Date;

  static override styles = [
    sharedStyles,
    css`
      .scroll { overflow-x: auto; padding-bottom: 4px; }
      svg { display: block; }
      line { stroke: var(--vscode-descriptionForeground); stroke-width: 1.5; }
      circle { fill: var(--vscode-editor-background); stroke: var(--vscode-descriptionForeground); stroke-width: 2; }
      g[data-state='serving'] circle { fill: var(--vscode-charts-blue, #1a85ff); stroke: var(--vscode-charts-blue, #1a85ff); }
      g[data-state='training'] circle { stroke-dasharray: 3 2; stroke: var(--vscode-charts-yellow, #cca700); }
      g[data-state='failed'] circle { stroke: var(--vscode-charts-red, #e51400); }
      text { fill: var(--vscode-foreground); font-size: 11px; text-anchor: middle; }
      g[data-state='serving'] text { font-weight: 700; }
      table { border-collapse: collapse; width: 100%; margin-top: 6px; font-variant-numeric: tabular-nums; }
      th { text-align: left; font-weight: 600; }
      th, td { padding: 3px 8px 3px 0; white-space: nowrap; }
      td { border-top: 1px solid var(--vscode-panel-border, #8883); }
      summary { cursor: pointer; color: var(--vscode-textLink-foreground); margin-top: 6px; }
    `,
  ];

  /** The newest version is what one looks for. */
  override updated(changed: PropertyValues<this>): void {
    const line = this.renderRoot.querySelector('#line');
    if (line && changed.has('serving')) line.scrollLeft = line.scrollWidth;
  }

  override render(): TemplateResult {
    const line = this.versions.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).slice(-SHOWN);
    return html`<section aria-labelledby="lineage-title">
      <h2 id="lineage-title">${t('Versions')}</h2>
      ${this.versions.length === 0 ? html`<p class="muted">${t('No version has been trained yet.')}</p>` : this.#drawn(line)}
    </section>`;
  }

  #drawn(line: readonly PanelVersion[]): TemplateResult {
    const width = line.length * STEP;
    return html`<div class="scroll" id="line" tabindex="0">
        <svg width=${width} height="48" viewBox="0 0 ${width} 48" role="img" aria-label=${t(
          'Lineage, oldest first: {0}',
          line.map(({ version, state }) => `${shortVersion(version)} ${VERSION_STATES[state]}`).join(', '),
        )}>
          ${line.map((version, index) => this.#mark(version, index))}
        </svg>
      </div>
      <details>
        <summary>${t('All versions')}</summary>
        <div class="scroll">
          <table>
            <thead>
              <tr><th scope="col">${t('Version')}</th><th scope="col">${t('Made from')}</th><th scope="col">${t('State')}</th>
                <th scope="col">${t('Go to it')}</th><th scope="col">${t('Learnt from')}</th><th scope="col">${t('Loss')}</th><th scope="col">${t('Made')}</th>
                <th scope="col">${t('Why')}</th></tr>
            </thead>
            <tbody>${this.versions.map((version) => this.#row(version))}</tbody>
          </table>
        </div>
      </details>`;
  }

  #serve(version: string): TemplateResult {
    return html`<vscode-button secondary aria-label=${t('Serve this one: {0}', version)}
      @click=${() => send({ type: 'serveVersion', version })}>${t('Serve this one')}</vscode-button>`;
  }

  #mark(version: PanelVersion, index: number): TemplateResult {
    const x = index * STEP + STEP / 2;
    const state = version.version === this.serving ? 'serving' : version.state;
    return svg`<g data-state=${state}>
      ${index === 0 ? nothing : svg`<line x1=${x - STEP + 8} x2=${x - 8} y1=${MIDDLE - 6} y2=${MIDDLE - 6}></line>`}
      <circle cx=${x} cy=${MIDDLE - 6} r="7"></circle>
      <text x=${x} y="42">${shortVersion(version.version)}</text>
      <title>${version.version}: ${VERSION_STATES[state]}${version.reason === null ? '' : `: ${version.reason}`}</title>
    </g>`;
  }

  #row(version: PanelVersion): TemplateResult {
    return html`<tr>
      <td>${version.version}</td>
      <td>${version.parent ? shortVersion(version.parent) : '–'}</td>
      <td>${VERSION_STATES[version.version === this.serving ? 'serving' : version.state]}</td>
      <td>${version.state === 'retired' && version.kept ? this.#serve(version.version) : '–'}</td>
      <td>${version.batchId ? learntFrom(version) : '–'}</td>
      <td>${version.metrics ? decimal(version.metrics.loss, 3) : '–'}</td>
      <td>${timeAgo(version.createdAt, this.now)}</td>
      <td>${why(version)}</td>
    </tr>`;
  }
}
/** The latest decision on it, and whether it knows something that the user took back since. */
function why({ reason, tainted }: PanelVersion): string {
  const mark = tainted === null ? [] : [TAINTED[tainted]];
  return [...(reason === null ? [] : [reason]), ...mark].join('; ') || '–';
}
customElements.define('apprentice-lineage', VersionLineage);
