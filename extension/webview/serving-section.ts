/** What answers now, learning on or paused, and the training that runs. */
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import { learntFrom, percent, shortVersion } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const LEARNING = {
  unasked: t('Learning has not been asked for'),
  on: t('Learning is on'),
  paused: t('Learning is paused'),
  off: t('Learning is off'),
} as const;

/** Of a batch, and of the trainer; another is shown as it is. */
const PHASES: Record<string, string> = {
  building: t('the batch is being built'),
  submitted: t('handed over'),
};

function phaseOf({ phase, ahead }: NonNullable<PanelSnapshot['training']>): string {
  if (phase === 'waiting') return t('it waits at the worker, {0} before it', ahead);
  return PHASES[phase] ?? phase;
}

export class ServingSection extends LitElement {
  static override properties = { snapshot: { attribute: false } };
  declare snapshot: PanelSnapshot;

  static override styles = [
    sharedStyles,
    css`
      .top { display: flex; flex-wrap: wrap; gap: 10px 16px; align-items: center; justify-content: space-between; }
      .version { font-size: 1.8em; font-weight: 600; line-height: 1.1; }
      progress {
        width: 100%; height: 6px; appearance: none; border: 0; border-radius: 3px; overflow: hidden;
        background: var(--vscode-editorWidget-background);
      }
      progress::-webkit-progress-bar { background: var(--vscode-editorWidget-background); }
      progress::-webkit-progress-value { background: var(--vscode-progressBar-background); transition: inline-size 0.2s; }
      .training { margin-top: 12px; }
      .training label { display: flex; justify-content: space-between; gap: 8px; margin-bottom: 4px; }
    `,
  ];

  override render(): TemplateResult {
    const { serving, learning } = this.snapshot;
    return html`<section aria-labelledby="serving-title">
      <h2 id="serving-title">${t('Serving')}</h2>
      <div class="top">
        <div>
          <div class="version" id="serving-version">${serving}</div>
          <div class="muted" id="learning-state" role="status">
            ${serving === 'policy@v0' ? t('The base model, not trained yet') : this.#origin()} · ${LEARNING[learning]}
          </div>
        </div>
        <div class="row">${this.#switches()}</div>
      </div>
      ${this.#training()}
    </section>`;
  }

  #origin(): string {
    const version = this.snapshot.versions.find((each) => each.version === this.snapshot.serving);
    if (!version?.parent) return t('Trained here');
    return t('Trained from {0} on {1}', shortVersion(version.parent), learntFrom(version));
  }

  #switches(): TemplateResult {
    const { learning } = this.snapshot;
    if (learning === 'on') {
      return html`<vscode-button id="learning-pause" secondary @click=${() => send({ type: 'setLearning', state: 'paused' })}>${t('Pause learning')}</vscode-button>
        <vscode-button id="learning-off" secondary @click=${() => send({ type: 'setLearning', state: 'off' })}>${t('Turn off')}</vscode-button>`;
    }
    return html`<vscode-button id="learning-on" @click=${() => send({ type: 'setLearning', state: 'on' })}>
      ${learning === 'paused' ? t('Go on learning') : t('Turn learning on')}
    </vscode-button>`;
  }

  #training(): TemplateResult | typeof nothing {
    const { training } = this.snapshot;
    if (training === null) return nothing;
    return html`<div class="training">
      <label for="training-progress">
        <span>${t('{0} is being made: {1}', shortVersion(training.version), phaseOf(training))}</span>
        <span>${percent(training.fraction)}</span>
      </label>
      <progress id="training-progress" max="1" .value=${training.fraction}></progress>
    </div>`;
  }
}
customElements.define('apprentice-serving', ServingSection);
