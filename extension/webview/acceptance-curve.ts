/** The curve that says whether it pays: the share of first answers taken as they stood, versions as marks. */
import { css, html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { CurvePoint } from '../../agent-server/protocol/panel.ts';
import { type AcceptedShare, acceptedShares } from './curve.ts';
import { DrawnWidth } from './drawn-width.ts';
import { percent, shortVersion } from './format.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const WINDOW = 8;
/** Before the first measuring, and where nothing can be measured. */
const DEFAULT_WIDTH = 600;
const HEIGHT = 160;
const EDGE = { left: 42, right: 10, top: 16, bottom: 20 };
/** What a version's name takes; names closer than this would write over each other. */
const LABEL_WIDTH = 30;
const TICK_HEIGHT = 5;

export class AcceptanceCurve extends LitElement {
  static override properties = { points: { attribute: false } };
  declare points: CurvePoint[];
  readonly #width = new DrawnWidth(this, DEFAULT_WIDTH);

  static override styles = [
    sharedStyles,
    css`
      svg { display: block; max-width: 100%; }
      .grid { stroke: var(--vscode-panel-border, #8884); }
      .curve { fill: none; stroke: var(--vscode-charts-blue, #1a85ff); stroke-width: 2; stroke-linejoin: round; }
      .mark { stroke: var(--vscode-descriptionForeground); stroke-dasharray: 2 3; }
      .accepted { fill: var(--vscode-charts-green, #388a34); }
      .changed { fill: none; stroke: var(--vscode-charts-red, #e51400); stroke-width: 1.5; }
      text { fill: var(--vscode-descriptionForeground); font-size: 11px; }
      text.value { text-anchor: end; }
      figure { margin: 0; }
      figcaption { margin-top: 4px; }
    `,
  ];

  override render(): TemplateResult {
    return html`<section aria-labelledby="curve-title">
      <h2 id="curve-title">${t('First answers accepted')}</h2>
      ${
        this.points.length === 0
          ? html`<p class="muted">${t('The curve begins with the first answer that you took or changed.')}</p>`
          : this.#figure(acceptedShares(this.points, WINDOW))
      }
    </section>`;
  }

  #figure(shares: AcceptedShare[]): TemplateResult {
    const width = this.#width.pixels;
    const last = shares.at(-1)?.share ?? 0;
    const total = this.points.filter(({ accepted }) => accepted).length;
    const x = (index: number): number =>
      shares.length === 1
        ? (EDGE.left + width) / 2
        : EDGE.left + (index / (shares.length - 1)) * (width - EDGE.left - EDGE.right);
    const y = (share: number): number => EDGE.top + (1 - share) * (HEIGHT - EDGE.top - EDGE.bottom);
    const radius = Math.min(3.5, (0.4 * (width - EDGE.left - EDGE.right)) / shares.length);
    const path = shares.map(
      ({ share }, index) => `${index === 0 ? 'M' : 'L'}${x(index).toFixed(1)} ${y(share).toFixed(1)}`,
    );
    const summary =
      shares.length === 1
        ? total === 1
          ? t('The only answer so far was taken as it stood.')
          : t('The only answer so far was changed.')
        : t(
            '{0} of the last {1} answers were taken as they stood; {2} of {3} in all.',
            percent(last),
            Math.min(WINDOW, shares.length),
            total,
            shares.length,
          );
    return html`<figure>
      <svg width=${width} height=${HEIGHT} viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label=${summary}>
        ${[0, 0.5, 1].map(
          (
            share,
          ) => svg`<line class="grid" x1=${EDGE.left} x2=${width - EDGE.right} y1=${y(share)} y2=${y(share)}></line>
            <text class="value" x=${EDGE.left - 5} y=${y(share) + 4}>${percent(share)}</text>`,
        )}
        ${this.#versionMarks(shares, x)}
        <path class="curve" d=${path.join('')}></path>
        ${this.points.map((point, index) => this.#dot(point, x(index), radius))}
      </svg>
      <figcaption class="muted">${summary}</figcaption>
    </figure>`;
  }

  #versionMarks(shares: AcceptedShare[], x: (index: number) => number): (TemplateResult | typeof nothing)[] {
    let free = Number.NEGATIVE_INFINITY;
    return shares.map(({ versionBegins, version }, index) => {
      if (!versionBegins) return nothing;
      const at = x(index);
      const atEnd = at > this.#width.pixels - EDGE.right - LABEL_WIDTH;
      const from = atEnd ? at - LABEL_WIDTH : at;
      const labelled = from >= free;
      if (labelled) free = from + LABEL_WIDTH;
      // A version without room for its name is a tick: lines without names would only hide the curve.
      const top = labelled ? EDGE.top : HEIGHT - EDGE.bottom - TICK_HEIGHT;
      return svg`<line class="mark" x1=${at} x2=${at} y1=${top} y2=${HEIGHT - EDGE.bottom}></line>
        ${labelled ? svg`<text x=${atEnd ? at - 2 : at + 2} text-anchor=${atEnd ? 'end' : 'start'} y="11">${shortVersion(version)}</text>` : nothing}`;
    });
  }

  #dot({ accepted, version }: CurvePoint, x: number, radius: number): TemplateResult {
    return svg`<circle class=${accepted ? 'accepted' : 'changed'} cx=${x} cy=${HEIGHT - 8} r=${radius}>
      <title>${shortVersion(version)}: ${accepted ? t('accepted') : t('changed')}</title>
    </circle>`;
  }
}
customElements.define('apprentice-curve', AcceptanceCurve);
