/** The page of the curve: every answer, by week and by version, and the comparison whose arms stand behind. */
import { css, html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { CurvePoint } from '../../agent-server/protocol/panel.ts';
import type { Comparisons } from '../../agent-server/protocol/promotion.ts';
import type { Comparing } from '../panel/messages.ts';
import './acceptance-curve.ts';
import { Asking } from './asking.ts';
import './comparison-section.ts';
import { ask } from './host.ts';
import './progress-section.ts';
import { sharedStyles } from './styles.ts';

export class CurvePage extends LitElement {
  static override properties = {
    points: { attribute: false },
    comparing: { attribute: false },
    changedAt: { attribute: false },
    now: { attribute: false },
  };
  declare points: CurvePoint[];
  declare comparing: Comparing;
  declare changedAt: string;
  declare now: Date;
  readonly #comparisons = new Asking<Comparisons>(
    this,
    async () => (await ask({ kind: 'comparisons' })).comparisons,
  );

  static override styles = [
    sharedStyles,
    css`
      apprentice-progress, apprentice-comparison { margin-top: 24px; }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    // To plan one, turns have to be read whole: not at every change of the store.
    if (changed.get('comparing')?.kind === 'running' && this.comparing.kind !== 'running')
      this.#comparisons.changed();
  }

  override render(): TemplateResult {
    const latest = this.#comparisons.value?.kept[0];
    return html`<apprentice-curve .points=${this.points}></apprentice-curve>
      <apprentice-progress .changedAt=${this.changedAt} .comparison=${latest}></apprentice-progress>
      ${this.#comparisons.render(
        (comparisons) =>
          html`<apprentice-comparison .comparisons=${comparisons} .comparing=${this.comparing} .now=${this.now}></apprentice-comparison>`,
      )}`;
  }
}
customElements.define('apprentice-curve-page', CurvePage);
