/**
 * Does it pay? First answers accepted, corrections an answer, what is left of edits, and how like answers were to what
 * was wanted, by week and by version, before the base and the control.
 */
import { css, html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { AnswerGroup } from '../../agent-server/protocol/data.ts';
import type { Comparison } from '../../agent-server/protocol/promotion.ts';
import { type GroupRow, groupRows } from './answer-groups.ts';
import { Asking } from './asking.ts';
import { decimal, percent, shortVersion, weekName } from './format.ts';
import './group-chart.ts';
import { type Band, bands, type Measure, points } from './group-curve.ts';
import { ask } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const SHOWN = 12;
/** Points of the curve. */
const DRAWN = 26;

const MEASURES: readonly { id: Measure; title: string; unit: 'share' | 'count' }[] = [
  { id: 'accepted', title: t('Accepted'), unit: 'share' },
  { id: 'corrections', title: t('Corrections an answer'), unit: 'count' },
  { id: 'survival', title: t('Edits left'), unit: 'share' },
  { id: 'likeness', title: t('Like what you wanted'), unit: 'share' },
];

export class ProgressSection extends LitElement {
  static override properties = {
    changedAt: { attribute: false },
    comparison: { attribute: false },
    by: { state: true },
    measure: { state: true },
  };
  declare changedAt: string;
  /** The latest; its arms are drawn as bands. */
  declare comparison: Comparison | undefined;
  declare by: 'week' | 'version';
  declare measure: Measure;
  readonly #groups = new Asking(this, async () => (await ask({ kind: 'answerGroups' })).answerGroups);

  static override styles = [
    sharedStyles,
    css`
      :host { container-type: inline-size; }
      .choices { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-bottom: 8px; }
      .choice { display: flex; flex-wrap: wrap; gap: 4px; }
      .choice button {
        font: inherit; color: inherit; background: transparent; border: 1px solid var(--vscode-panel-border, var(--vscode-contrastBorder, #8884));
        border-radius: 3px; padding: 2px 8px; cursor: pointer;
      }
      .choice button[aria-pressed='true'] { border-color: var(--vscode-focusBorder); font-weight: 600; background: var(--vscode-editorWidget-background); }
      .legend { list-style: none; margin: 4px 0 12px; padding: 0; }
      .legend li { margin: 4px 0; line-height: 1.4; }
      .key { display: inline-block; width: 18px; height: 0; margin-right: 4px; vertical-align: middle; border-top: 2px dashed var(--vscode-charts-purple, #652d90); }
      .key.control { border-top: 2px dotted var(--vscode-charts-orange, #d18616); }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
      th { text-align: left; font-weight: 600; vertical-align: bottom; }
      td, tbody th { border-top: 1px solid var(--vscode-panel-border, #8883); font-weight: 400; }
      th, td { padding: 3px 8px 3px 0; }
      time { white-space: nowrap; }
      .wide { display: none; }
      @container (min-width: 480px) { .wide { display: table-cell; } }
    `,
  ];

  constructor() {
    super();
    this.by = 'week';
    this.measure = 'accepted';
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.get('changedAt') !== undefined) this.#groups.changed();
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="progress-title">
      <h2 id="progress-title">${t('By week and by version')}</h2>
      ${this.#groups.render((groups) => this.#drawn(groups))}
    </section>`;
  }

  #drawn(groups: readonly AnswerGroup[]): TemplateResult {
    if (groups.length === 0)
      return html`<p class="muted">${t('It begins with the first answer that you took or changed.')}</p>`;
    const rows = groupRows(groups, this.by);
    return html`<div class="choices">
        <div class="choice" role="group" aria-label=${t('What is drawn')}>
          ${MEASURES.map(({ id, title }) => this.#choice(id, title, this.measure === id, () => this.#draw(id)))}
        </div>
        <div class="choice" role="group" aria-label=${t('Grouped')}>
          ${this.#choice('week', t('By week'), this.by === 'week', () => this.#group('week'))}
          ${this.#choice('version', t('By version'), this.by === 'version', () => this.#group('version'))}
        </div>
      </div>
      ${this.#curve(groups)}
      <div class="scroll" tabindex="0" role="region" aria-label=${t('The same as a table')}><table>
        <thead><tr>
          <th scope="col">${this.by === 'week' ? t('Week of') : t('Version')}</th><th scope="col">${t('Accepted')}</th>
          <th scope="col">${t('Corrections an answer')}</th><th scope="col">${t('Edits left')}</th>
          <th scope="col">${t('Like what you wanted')}</th>
          <th scope="col" class="wide">${t('Answers')}</th>${this.by === 'week' ? html`<th scope="col" class="wide">${t('Versions')}</th>` : ''}
        </tr></thead>
        <tbody>${rows.slice(0, SHOWN).map((row) => this.#row(row))}</tbody>
      </table></div>
      ${rows.length > SHOWN ? html`<p class="muted">${t('The newest {0} of {1}.', SHOWN, rows.length)}</p>` : ''}`;
  }

  #curve(groups: readonly AnswerGroup[]): TemplateResult {
    const drawn = points(groups, this.by, this.measure).slice(-DRAWN);
    const behind = bands(groups, this.comparison, this.measure);
    const { title, unit } = MEASURES.find(({ id }) => id === this.measure) ?? { title: '', unit: 'share' };
    if (drawn.length === 0) return html`<p class="muted">${t('Nothing is known of this yet.')}</p>`;
    const nameOf = (key: string): string => (this.by === 'week' ? weekName(key) : shortVersion(key));
    const told = (value: number): string => (unit === 'share' ? percent(value) : decimal(value, 2));
    const last = drawn.at(-1);
    const label = [
      this.by === 'week' ? t('{0} by week, oldest first', title) : t('{0} by version, oldest first', title),
      ...(last === undefined ? [] : [t('{0}: {1}', nameOf(last.key), told(last.value))]),
      ...behind.map((band) => legend(band, this.measure, told)),
    ].join('. ');
    return html`<apprentice-group-chart .points=${drawn} .bands=${behind} .unit=${unit} .nameOf=${nameOf} .label=${label}></apprentice-group-chart>
      <ul class="legend muted" id="legend">
        ${behind.map((band) => html`<li><span class="key ${band.of}" aria-hidden="true"></span>${legend(band, this.measure, told)}</li>`)}
        <li>${this.#absent(behind)}</li>
      </ul>`;
  }

  /** Where the bands come from that are not there, and what to think of those that are. */
  #absent(behind: readonly Band[]): string {
    if (this.measure !== 'likeness')
      return t(
        'A control never answers you: what it reaches is measured by “Is it better for me?” below, and drawn in “Like what you wanted”.',
      );
    if (behind.length === 0)
      return t('The base and the control are drawn once “Is it better for me?” below has been run.');
    return t(
      'An answer that you took as it stood counts as 100%, worded by the version that gave it: that flatters the curve. Corrected answers count by their likeness (chrF) to what you wrote.',
    );
  }

  #choice(id: string, title: string, on: boolean, choose: () => void): TemplateResult {
    return html`<button id="choose-${id}" aria-pressed=${on} @click=${choose}>${title}</button>`;
  }

  #group(by: 'week' | 'version'): void {
    this.by = by;
  }

  #draw(measure: Measure): void {
    this.measure = measure;
  }

  #row({
    key,
    answers,
    accepted,
    correctionsPerAnswer,
    survival,
    likeness,
    versions,
  }: GroupRow): TemplateResult {
    return html`<tr>
      <th scope="row">${this.by === 'week' ? html`<time datetime=${key} title=${key}>${weekName(key)}</time>` : shortVersion(key)}</th>
      <td>${percent(accepted)}</td>
      <td>${decimal(correctionsPerAnswer, 2)}</td>
      <td>${survival === null ? '–' : percent(survival)}</td>
      <td>${likeness === null ? '–' : percent(likeness)}</td>
      <td class="wide">${answers}</td>
      ${this.by === 'week' ? html`<td class="wide">${versions}</td>` : ''}
    </tr>`;
  }
}

function legend(
  { of, mean, spread, answers }: Band,
  measure: Measure,
  told: (value: number) => string,
): string {
  const value =
    spread === null
      ? told(mean)
      : t('{0} (80% interval {1} to {2})', told(mean), told(spread.low), told(spread.high));
  if (measure !== 'likeness')
    return t('base: {0}, of the {1} first answers that it gave you itself, lessons included', value, answers);
  return of === 'base'
    ? t('base: {0}, answering {1} of your requests anew', value, answers)
    : t(
        'control (the lessons, their tokens shuffled): {0}, answering {1} of your requests anew',
        value,
        answers,
      );
}
customElements.define('apprentice-progress', ProgressSection);
