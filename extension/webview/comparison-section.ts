/** "Is it better for me?": what it costs, the button, how far it is, and the arms that were measured. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type {
  ArmResult,
  Comparison,
  Comparisons,
  EvaluationPlan,
} from '../../agent-server/protocol/promotion.ts';
import type { Comparing } from '../panel/messages.ts';
import { decimal, duration, percent, shortVersion, signedDecimal, timeAgo } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const ARMS: Record<ArmResult['arm'], { name: string; what: string }> = {
  base: { name: t('base'), what: t('the model as it came, without lessons') },
  control: { name: t('control'), what: t('the base, with the lessons’ tokens shuffled') },
  lessons: { name: t('lessons'), what: t('the base, with your lessons in the prompt') },
  adapter: { name: t('weights'), what: t('what had been learnt by then, without lessons') },
  both: { name: t('both'), what: t('as it would have answered: weights and lessons') },
  serving: { name: t('serving'), what: t('what serves now, on turns that it never learnt from') },
};

export class ComparisonSection extends LitElement {
  static override properties = {
    comparisons: { attribute: false },
    comparing: { attribute: false },
    now: { attribute: false },
  };
  declare comparisons: Comparisons;
  declare comparing: Comparing;
  declare now: Date;
  /** While it was shown. */
  #ran = false;

  static override styles = [
    sharedStyles,
    css`
      :host { container-type: inline-size; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin-top: 8px; }
      caption { text-align: left; margin-bottom: 4px; }
      th { text-align: left; font-weight: 600; vertical-align: bottom; }
      td, tbody th { border-top: 1px solid var(--vscode-panel-border, #8883); font-weight: 400; }
      th, td { padding: 3px 8px 3px 0; }
      tbody th span { display: none; }
      td span { white-space: nowrap; }
      @container (min-width: 480px) { tbody th span { display: block; } }
      progress { width: 100%; height: 6px; accent-color: var(--vscode-progressBar-background); }
    `,
  ];

  override render(): TemplateResult {
    const { kept, plan } = this.comparisons;
    const [latest, ...earlier] = kept;
    return html`<section aria-labelledby="better-title">
      <h2 id="better-title">${t('Is it better for me?')}</h2>
      <p>${t(
        'Your own turns are cut in two by time. What had been learnt by then meets the base on the turns that came after.',
      )}</p>
      <div class="visually-hidden" role="status">${this.#heard()}</div>
      <div id="comparing">${this.#state(plan)}</div>
      ${latest === undefined ? nothing : this.#report(latest)}
      ${
        earlier.length === 0
          ? nothing
          : html`<details><summary>${t('Earlier ones')}</summary>${earlier.map((one) => this.#report(one))}</details>`
      }
      <p class="muted">${t(
        'The control of the lessons is measured here. One of the weights has to be trained as long as they were: “npm start -- --control” does that for a repository.',
      )}</p>
    </section>`;
  }

  /** For whoever does not see the bar: in quarters, not at every turn. */
  #heard(): string {
    const { comparing } = this;
    if (comparing.kind !== 'running') return this.#ran ? t('The comparison has ended.') : '';
    this.#ran = true;
    const quarters = comparing.total === 0 ? 0 : Math.floor((4 * comparing.done) / comparing.total);
    return t('Comparing: {0}', percent(quarters / 4));
  }

  #state(plan: EvaluationPlan): TemplateResult {
    const { comparing } = this;
    if (comparing.kind === 'running') {
      const { done, total } = comparing;
      const told = total === 0 ? t('It begins…') : t('{0} of {1} measured', done, total);
      return html`<p><label for="comparison-progress">${told}</label></p>
        <progress id="comparison-progress" max=${total === 0 ? 1 : total} .value=${done}></progress>
        <div class="row"><vscode-button secondary id="stop-comparing" @click=${() => send({ type: 'stopComparing' })}>${t('Stop')}</vscode-button></div>`;
    }
    const failed =
      comparing.kind === 'failed' ? html`<p class="problem" role="alert">${comparing.message}</p>` : nothing;
    if (plan.kind === 'too_few')
      return html`${failed}<p class="muted" id="too-few">${t(
        'It takes {0} turns that you corrected or took; there are {1} so far.',
        plan.needed,
        plan.judged,
      )}</p>`;
    return html`${failed}
      <p class="muted" id="cost">${cost(plan)}</p>
      <vscode-button id="compare" @click=${() => send({ type: 'compare' })}>${t('Measure now')}</vscode-button>`;
  }

  #report({ at, report }: Comparison): TemplateResult {
    const { version, corrected, accepted, lessons, arms, answered, seconds } = report;
    const caption = [
      t(
        '{0}: {1} with {2} lessons, on {3} turns that you corrected and {4} that you took, {5} of them answered anew.',
        timeAgo(at, this.now),
        shortVersion(version),
        lessons,
        corrected,
        accepted,
        answered,
      ),
      t('It took {0}.', duration(seconds)),
    ].join(' ');
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${t('What was measured')}><table class="report">
      <caption class="muted">${caption}</caption>
      <thead><tr>
        <th scope="col">${t('Arm')}</th>
        <th scope="col">${t('Gain')}</th>
        <th scope="col">${t('chrF')}</th>
        <th scope="col">${t('Turns')}</th>
      </tr></thead>
      <tbody>${arms.map((arm) => row(arm))}</tbody>
    </table></div>
    <p class="muted">${t(
      'Gain: how much likelier your own text is than by the base, in nats a token. chrF: how like the answers are to what you wanted, 0 to 100. In brackets: 80% intervals.',
    )}</p>`;
  }
}

function row({ arm, version, versusBase, chrf, chrfInterval, turns }: ArmResult): TemplateResult {
  const { name, what } = ARMS[arm];
  const spread = (low: string, high: string): TemplateResult =>
    html` <span class="muted">(${t('{0} to {1}', low, high)})</span>`;
  return html`<tr data-arm=${arm}>
    <th scope="row" title=${what}>${name}${arm === 'base' || arm === 'control' ? nothing : html` (${shortVersion(version)})`}<span class="muted">${what}</span></th>
    <td>${
      versusBase === null
        ? '–'
        : html`${signedDecimal(versusBase.mean)}${spread(signedDecimal(versusBase.low), signedDecimal(versusBase.high))}`
    }</td>
    <td>${
      chrf === null
        ? '–'
        : html`${decimal(chrf, 0)}${chrfInterval === null ? nothing : spread(decimal(chrfInterval.low, 0), decimal(chrfInterval.high, 0))}`
    }</td>
    <td>${turns}</td>
  </tr>`;
}

function cost({ arms, turns, answers, seconds }: Extract<EvaluationPlan, { kind: 'ready' }>): string {
  const names = arms.map((arm) => ARMS[arm].name).join(', ');
  const what = t('It would measure {0} on {1} turns, and answer {2} of them anew.', names, turns, answers);
  if (seconds === null) return what;
  return `${what} ${t('About {0}, longer while somebody waits for an answer.', duration(seconds))}`;
}
customElements.define('apprentice-comparison', ComparisonSection);
