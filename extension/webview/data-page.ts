/** The page of data: what is stored and how much of it, how to take it out, and how to be rid of it. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { Stored } from '../../agent-server/protocol/data.ts';
import { Asking } from './asking.ts';
import { bytes } from './format.ts';
import { ask, send } from './host.ts';
import { locale, t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const COUNTS: readonly (readonly [keyof Stored['counts'], string])[] = [
  ['sessions', t('Conversations')],
  ['turns', t('Turns')],
  ['nextStates', t('Next states')],
  ['verdicts', t('Verdicts')],
  ['samples', t('Samples')],
  ['lessons', t('Lessons')],
  ['versions', t('Trained versions')],
];
const SIZES: readonly (readonly [keyof Stored['bytes'], string])[] = [
  ['store', t('Store (turns and all that is known of them)')],
  ['adapters', t('Adapters (trained weights)')],
  ['optimizer', t('Optimizer state')],
  ['batches', t('Batches (while they are trained on)')],
  ['logs', t('Logs')],
  ['setAside', t('Set aside after damage')],
];

export class DataPage extends LitElement {
  static override properties = { changedAt: { attribute: false } };
  declare changedAt: string;
  readonly #stored = new Asking(this, async () => (await ask({ kind: 'stored' })).stored);

  static override styles = [
    sharedStyles,
    css`
      section + section { margin-top: 24px; }
      .tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 8px 24px; align-items: start; }
      table { border-collapse: collapse; width: 100%; }
      th { text-align: left; font-weight: 400; }
      th, td { padding: 3px 0; border-top: 1px solid var(--vscode-panel-border, #8883); }
      td { text-align: right; padding-left: 12px; white-space: nowrap; font-variant-numeric: tabular-nums; }
      tfoot th, tfoot td { font-weight: 600; }
      code { font-family: var(--vscode-editor-font-family); overflow-wrap: anywhere; }
      .where { margin-top: 8px; }
      .row { margin-top: 8px; }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.get('changedAt') !== undefined) this.#stored.changed();
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="stored-title">
        <h2 id="stored-title">${t('What is stored')}</h2>
        ${this.#stored.render((stored) => this.#tables(stored))}
      </section>
      <section aria-labelledby="export-title">
        <h2 id="export-title">${t('Take it out')}</h2>
        <p>${t(
          'Turns: a line of JSON each, with what was asked, answered and seen, and what was made of it. Trajectories: a conversation a line, in the Agent Trajectory Interchange Format (ATIF). Both hold your own words and code. Adapters are exported on the page of versions.',
        )}</p>
        <div class="row">
          <vscode-button id="export-turns" @click=${() => send({ type: 'export', format: 'turns' })}>${t('Export turns…')}</vscode-button>
          <vscode-button id="export-trajectories" secondary @click=${() => send({ type: 'export', format: 'trajectories' })}>${t('Export trajectories…')}</vscode-button>
        </div>
      </section>
      <section aria-labelledby="forget-title">
        <h2 id="forget-title">${t('Be rid of it')}</h2>
        <p>${t(
          'Single turns and lessons are deleted on their pages. What a version had learnt from them stays in its weights until you forget: then the last version without it serves, and the rest is trained anew.',
        )}</p>
        <div class="row">
          <vscode-button id="forget-all" secondary @click=${() => send({ type: 'forget' })}>${t('Forget what was taken back…')}</vscode-button>
          <vscode-button id="delete-everything" secondary @click=${() => send({ type: 'deleteEverything' })}>${t('Delete everything…')}</vscode-button>
        </div>
      </section>`;
  }

  #tables({ counts, bytes: sizes, home }: Stored): TemplateResult {
    const total = SIZES.reduce((sum, [key]) => sum + sizes[key], 0);
    return html`<div class="tables">
        <table aria-label=${t('Rows')}>
          <tbody>${COUNTS.map(([key, title]) => html`<tr><th scope="row">${title}</th><td id="count-${key}">${counts[key].toLocaleString(locale)}</td></tr>`)}</tbody>
        </table>
        <table aria-label=${t('Sizes on the disk')}>
          <tbody>${SIZES.map(([key, title]) => html`<tr><th scope="row">${title}</th><td>${bytes(sizes[key])}</td></tr>`)}</tbody>
          <tfoot><tr><th scope="row">${t('Together')}</th><td>${bytes(total)}</td></tr></tfoot>
        </table>
      </div>
      <p class="where muted">${t('All of it lies in this folder on this machine:')} <code>${home}</code></p>`;
  }
}
customElements.define('apprentice-data', DataPage);
