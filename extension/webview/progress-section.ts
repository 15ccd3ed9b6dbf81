/** Does it pay? First answers accepted, corrections an answer and what is left of edits, by week and by version. */
import { css, html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { AnswerGroup } from '../../agent-server/protocol/data.ts';
import { type GroupRow, groupRows } from './answer-groups.ts';
import { Asking } from './asking.ts';
import { percent, shortVersion } from './format.ts';
import { ask } from './host.ts';
import { sharedStyles } from './styles.ts';

const SHOWN = 12;

export class ProgressSection extends LitElement {
  static override properties = { changedAt: { attribute: false }, by: { state: true } };
  declare changedAt: string;
  declare by: 'week' | 'version';
  readonly #groups = new Asking(this, async () => (await ask({ kind: 'answerGroups' })).answerGroups);

  static override styles = [
    sharedStyles,
    css`
      :host { container-type: inline-size; }
      .choice { display: flex; gap: 4px; margin-bottom: 8px; }
      .choice button {
        font: inherit; color: inherit; background: transparent; border: 1px solid var(--vscode-panel-border, var(--vscode-contrastBorder, #8884));
        border-radius: 3px; padding: 2px 8px; cursor: pointer;
      }
      .choice button[aria-pressed='true'] { border-color: var(--vscode-focusBorder); font-weight: 600; background: var(--vscode-editorWidget-background); }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
      caption { text-align: left; margin-bottom: 4px; }
      th { text-align: left; font-weight: 600; vertical-align: bottom; }
      td, tbody th { border-top: 1px solid var(--vscode-panel-border, #8883); font-weight: 400; }
      th, td { padding: 3px 8px 3px 0; }
      time { white-space: nowrap; }
      .wide { display: none; }
      .bar { display: none; vertical-align: middle; width: 48px; height: 6px; margin-right: 6px; border: 1px solid var(--vscode-charts-blue, #1a85ff); }
      .bar span { display: block; height: 100%; background: var(--vscode-charts-blue, #1a85ff); }
      @container (min-width: 480px) { .wide { display: table-cell; } .bar { display: inline-block; } }
    `,
  ];

  constructor() {
    super();
    this.by = 'week';
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.get('changedAt') !== undefined) this.#groups.changed();
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="progress-title">
      <h2 id="progress-title">By week and by version</h2>
      ${this.#groups.render((groups) => this.#drawn(groups))}
    </section>`;
  }

  #drawn(groups: readonly AnswerGroup[]): TemplateResult {
    if (groups.length === 0)
      return html`<p class="muted">It begins with the first answer that you took or changed.</p>`;
    const rows = groupRows(groups, this.by);
    return html`<div class="choice" role="group" aria-label="Grouped">
        ${this.#choice('week', 'By week')} ${this.#choice('version', 'By version')}
      </div>
      <div class="scroll"><table>
        <thead><tr>
          <th scope="col">${this.by === 'week' ? 'Week of' : 'Version'}</th><th scope="col">Accepted</th>
          <th scope="col">Corrections an answer</th><th scope="col">Edits left</th>
          <th scope="col" class="wide">Answers</th>${this.by === 'week' ? html`<th scope="col" class="wide">Versions</th>` : ''}
        </tr></thead>
        <tbody>${rows.slice(0, SHOWN).map((row) => this.#row(row))}</tbody>
      </table></div>
      ${rows.length > SHOWN ? html`<p class="muted">The newest ${SHOWN} of ${rows.length}.</p>` : ''}`;
  }

  #choice(by: 'week' | 'version', title: string): TemplateResult {
    return html`<button aria-pressed=${this.by === by} @click=${() => this.#group(by)}>${title}</button>`;
  }

  #group(by: 'week' | 'version'): void {
    this.by = by;
  }

  #row({ key, answers, accepted, correctionsPerAnswer, survival, versions }: GroupRow): TemplateResult {
    return html`<tr>
      <th scope="row">${this.by === 'week' ? html`<time datetime=${key} title=${key}>${date(key)}</time>` : shortVersion(key)}</th>
      <td><span class="bar" aria-hidden="true"><span .style=${`width: ${Math.round(accepted * 100)}%`}></span></span>${percent(accepted)}</td>
      <td>${correctionsPerAnswer.toFixed(2)}</td>
      <td>${survival === null ? '–' : percent(survival)}</td>
      <td class="wide">${answers}</td>
      ${this.by === 'week' ? html`<td class="wide">${versions}</td>` : ''}
    </tr>`;
  }
}

/** "5 Jan"; a week's Monday is a date, not a moment. Its year stands in the tooltip. */
function date(iso: string): string {
  const format = { day: 'numeric', month: 'short', timeZone: 'UTC' } as const;
  return new Intl.DateTimeFormat('en-GB', format).format(new Date(iso));
}
customElements.define('apprentice-progress', ProgressSection);
