/** What the gate measured of a version, against the one that served: a drawing, and the same in words. */
import { css, html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { GateFigures } from '../../agent-server/protocol/promotion.ts';
import { decimal, percent, signedDecimal } from './format.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const WIDTH = 260;
const EDGE = 8;
const DIFFERENCE_HEIGHT = 54;
const DRIFT_HEIGHT = 40;

export class GateReport extends LitElement {
  static override properties = { figures: { attribute: false } };
  declare figures: GateFigures;

  static override styles = [
    sharedStyles,
    css`
      svg { display: block; max-width: 100%; overflow: visible; }
      .axis { stroke: var(--vscode-descriptionForeground); }
      .limit { stroke: var(--vscode-charts-red, #e51400); stroke-dasharray: 3 2; stroke-width: 1.5; }
      .interval { stroke: var(--vscode-charts-blue, #1a85ff); stroke-width: 3; }
      .beyond { stroke: var(--vscode-charts-blue, #1a85ff); stroke-dasharray: 2 3; }
      .mean { fill: var(--vscode-charts-blue, #1a85ff); }
      .serving { fill: none; stroke: var(--vscode-descriptionForeground); stroke-width: 1.5; }
      text { fill: var(--vscode-descriptionForeground); font-size: 10px; text-anchor: middle; }
      figure { margin: 0 0 8px; }
      figcaption { margin-top: 2px; }
    `,
  ];

  override render(): TemplateResult {
    return html`${this.#difference()} ${this.#drift()}`;
  }

  #difference(): TemplateResult {
    const { meanDifference: mean, lowerBound: lower, margin, turns, heldOut, confidence } = this.figures;
    if (mean === null || lower === null)
      return html`<p class="muted">${turns === 0 ? t('No earlier turns to compare: soundness and drift decided.') : t('Only {0} earlier turns to compare: soundness and drift decided.', turns)}</p>`;
    const [from, to] = spread([lower, mean, 2 * mean - lower, -margin, 0]);
    const x = scale(from, to);
    const words = t(
      '{0} nats a token on {1} of your own texts ({2} never trained on), at least {3} with {4} confidence. It may not be below {5}.',
      signed(mean),
      turns,
      heldOut,
      signed(lower),
      percent(confidence),
      signed(-margin),
    );
    return html`<figure>
      <svg width=${WIDTH} height=${DIFFERENCE_HEIGHT} viewBox="0 0 ${WIDTH} ${DIFFERENCE_HEIGHT}" role="img" aria-label=${words}>
        <line class="axis" x1=${x(0)} x2=${x(0)} y1="14" y2="40"></line>
        <line class="limit" x1=${x(-margin)} x2=${x(-margin)} y1="14" y2="40"></line>
        <line class="interval" x1=${x(lower)} x2=${x(mean)} y1="27" y2="27"></line>
        <line class="beyond" x1=${x(mean)} x2=${WIDTH - EDGE} y1="27" y2="27"></line>
        <circle class="mean" cx=${x(mean)} cy="27" r="4"></circle>
        <text x=${clamped(x(0), 26)} y="52">${t('as before')}</text>
        <text x=${clamped(x(-margin), 18)} y="10">${t('margin')}</text>
      </svg>
      <figcaption class="muted">${words}</figcaption>
    </figure>`;
  }

  #drift(): TemplateResult | typeof nothing {
    const { driftNats: drift, servingDriftNats: serving, maxDriftNats: limit } = this.figures;
    if (drift === null) return nothing;
    const [, to] = spread([0, drift, serving ?? 0, limit]);
    const x = scale(0, to);
    const words =
      serving === null
        ? t(
            '{0} nats a token from the base on unrelated prompts. The limit is {1}.',
            decimal(drift, 3),
            limit,
          )
        : t(
            '{0} nats a token from the base on unrelated prompts, the one before {1}. The limit is {2}.',
            decimal(drift, 3),
            decimal(serving, 3),
            limit,
          );
    return html`<figure>
      <svg width=${WIDTH} height=${DRIFT_HEIGHT} viewBox="0 0 ${WIDTH} ${DRIFT_HEIGHT}" role="img" aria-label=${words}>
        <line class="axis" x1=${x(0)} x2=${x(0)} y1="8" y2="28"></line>
        <line class="limit" x1=${x(limit)} x2=${x(limit)} y1="8" y2="28"></line>
        <line class="interval" x1=${x(0)} x2=${x(drift)} y1="18" y2="18"></line>
        ${serving === null ? nothing : svg`<circle class="serving" cx=${x(serving)} cy="18" r="4"></circle>`}
        <text x=${clamped(x(0), 12)} y="38">${t('base')}</text>
        <text x=${clamped(x(limit), 12)} y="38">${t('limit')}</text>
      </svg>
      <figcaption class="muted">${words}</figcaption>
    </figure>`;
  }
}

/** The least and the greatest, with a little room. */
function spread(values: readonly number[]): [number, number] {
  const [from, to] = [Math.min(...values), Math.max(...values)];
  const room = 0.08 * Math.max(to - from, 0.01);
  return [from - room, to + room];
}

function scale(from: number, to: number): (value: number) => number {
  return (value) => EDGE + ((value - from) / (to - from)) * (WIDTH - 2 * EDGE);
}

/** So that a label of this half width stays inside. */
function clamped(x: number, half: number): number {
  return Math.max(half, Math.min(WIDTH - half, x));
}

function signed(value: number): string {
  return signedDecimal(value, 3);
}
customElements.define('apprentice-gate-report', GateReport);
