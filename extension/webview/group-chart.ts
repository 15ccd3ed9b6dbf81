/** Draws the curve by week or by version: bands behind, versions as marks, a point a group. Numbers are group-curve.ts's. */
import { css, html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { DrawnWidth } from './drawn-width.ts';
import { decimal, percent } from './format.ts';
import type { Band, Point } from './group-curve.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const DEFAULT_WIDTH = 600;
const HEIGHT = 190;
const EDGE = { left: 42, right: 12, top: 20, bottom: 34 };
/** What a name under the axis takes; names closer than this would write over each other. */
const LABEL_WIDTH = 44;

const BAND_NAMES = { base: t('base'), control: t('control') } as const;

export class GroupChart extends LitElement {
  static override properties = {
    points: { attribute: false },
    bands: { attribute: false },
    unit: {},
    nameOf: { attribute: false },
    label: {},
  };
  declare points: Point[];
  declare bands: Band[];
  /** share: 0 to 1, told in per cent. count: from 0 on. */
  declare unit: 'share' | 'count';
  /** A group's name under the axis. */
  declare nameOf: (key: string) => string;
  /** What is drawn, for whoever does not see it. */
  declare label: string;
  readonly #width = new DrawnWidth(this, DEFAULT_WIDTH);

  static override styles = [
    sharedStyles,
    css`
      svg { display: block; max-width: 100%; }
      .grid { stroke: var(--vscode-panel-border, #8884); }
      .curve { fill: none; stroke: var(--vscode-charts-blue, #1a85ff); stroke-width: 2; stroke-linejoin: round; }
      .point { fill: var(--vscode-charts-blue, #1a85ff); }
      .mark { stroke: var(--vscode-descriptionForeground); stroke-dasharray: 2 3; }
      .area { stroke: none; opacity: 0.16; }
      .mean { stroke-width: 1.5; }
      .edge { stroke-width: 1; }
      .base { color: var(--vscode-charts-purple, #652d90); }
      .control { color: var(--vscode-charts-orange, #d18616); }
      .area { fill: currentColor; }
      .mean, .edge { stroke: currentColor; }
      .base .mean { stroke-dasharray: 7 3; }
      .control .mean { stroke-dasharray: 2 2; }
      .edge { opacity: 0.6; }
      text { fill: var(--vscode-descriptionForeground); font-size: 11px; }
      text.value { text-anchor: end; }
      text.name { text-anchor: middle; }
      text.band { text-anchor: end; fill: var(--vscode-foreground); paint-order: stroke; stroke: var(--vscode-editor-background); stroke-width: 3px; }
    `,
  ];

  override render(): TemplateResult {
    const { points, bands } = this;
    const width = this.#width.pixels;
    const highest = Math.max(
      1,
      ...points.map(({ value }) => value),
      ...bands.map(({ mean, spread }) => spread?.high ?? mean),
    );
    const x = (index: number): number =>
      points.length === 1
        ? (EDGE.left + width - EDGE.right) / 2
        : EDGE.left +
          LABEL_WIDTH / 2 +
          (index / (points.length - 1)) * (width - EDGE.left - EDGE.right - LABEL_WIDTH);
    const y = (value: number): number => EDGE.top + (1 - value / highest) * (HEIGHT - EDGE.top - EDGE.bottom);
    const path = points.map(
      ({ value }, index) => `${index === 0 ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`,
    );
    return html`<svg width=${width} height=${HEIGHT} viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label=${this.label}>
      ${[0, highest / 2, highest].map(
        (
          value,
        ) => svg`<line class="grid" x1=${EDGE.left} x2=${width - EDGE.right} y1=${y(value)} y2=${y(value)}></line>
          <text class="value" x=${EDGE.left - 5} y=${y(value) + 4}>${this.#told(value)}</text>`,
      )}
      ${bands.map((band) => this.#band(band, y))}
      ${this.#marks(x)}
      <path class="curve" d=${path.join('')}></path>
      ${points.map(
        ({ key, value, answers }, index) => svg`<circle class="point" cx=${x(index)} cy=${y(value)} r="4">
          <title>${this.nameOf(key)}: ${this.#told(value)} (${answers})</title>
        </circle>`,
      )}
      ${this.#names(x)}
    </svg>`;
  }

  #band({ of, mean, spread }: Band, y: (value: number) => number): TemplateResult {
    const [from, to] = [EDGE.left, this.#width.pixels - EDGE.right];
    const line = (name: string, value: number) =>
      svg`<line class=${name} x1=${from} x2=${to} y1=${y(value)} y2=${y(value)}></line>`;
    return svg`<g class=${of} data-band=${of}>
      ${
        spread === null
          ? nothing
          : svg`<rect class="area" x=${from} width=${to - from} y=${y(spread.high)} height=${Math.max(1, y(spread.low) - y(spread.high))}></rect>
            ${line('edge', spread.low)} ${line('edge', spread.high)}`
      }
      ${line('mean', mean)}
      <text class="band" x=${of === 'base' ? to - 2 : to - 52} y=${y(mean) - 4}>${BAND_NAMES[of]}</text>
    </g>`;
  }

  /** Where a version answers for the first time. */
  #marks(x: (index: number) => number): (TemplateResult | typeof nothing)[] {
    let free = Number.NEGATIVE_INFINITY;
    return this.points.map(({ begins }, index) => {
      if (begins === '') return nothing;
      const at = x(index);
      const labelled = at - LABEL_WIDTH / 2 >= free;
      if (labelled) free = at + LABEL_WIDTH / 2;
      return svg`<line class="mark" x1=${at} x2=${at} y1=${EDGE.top} y2=${HEIGHT - EDGE.bottom}></line>
        ${labelled ? svg`<text class="name" x=${at} y="12">${begins}</text>` : nothing}`;
    });
  }

  #names(x: (index: number) => number): (TemplateResult | typeof nothing)[] {
    let free = Number.NEGATIVE_INFINITY;
    return this.points.map(({ key }, index) => {
      const at = x(index);
      if (at - LABEL_WIDTH / 2 < free) return nothing;
      free = at + LABEL_WIDTH / 2;
      return svg`<text class="name" x=${at} y=${HEIGHT - EDGE.bottom + 16}>${this.nameOf(key)}</text>`;
    });
  }

  #told(value: number): string {
    return this.unit === 'share' ? percent(value) : decimal(value, 1);
  }
}
customElements.define('apprentice-group-chart', GroupChart);
