/** What is being learnt: the turns and lessons of the step under way, or what waits for the next. */
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Learning, PanelSnapshot, PanelTurn } from '../../agent-server/protocol/panel.ts';
import { counted, OUTCOMES, shortVersion, subjectTitle } from './format.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

export class BeingLearnt extends LitElement {
  static override properties = { snapshot: { attribute: false } };
  declare snapshot: PanelSnapshot;

  static override styles = [
    sharedStyles,
    css`
      ul { list-style: none; margin: 0 0 8px; padding: 0; }
      button.turn {
        display: block; width: 100%; padding: 4px 8px; font: inherit; text-align: left; color: inherit; background: transparent;
        border: 0; border-bottom: 1px solid var(--vscode-panel-border, #8883); cursor: pointer;
      }
      button.turn:hover { background: var(--vscode-list-hoverBackground); }
      button.turn:focus-visible { outline-offset: -1px; }
      .line { display: block; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
    `,
  ];

  override render(): TemplateResult {
    const { training } = this.snapshot;
    return html`<section aria-labelledby="learnt-title">
      <h2 id="learnt-title">${t('What is being learnt')}</h2>
      ${training === null ? nothing : this.#step(training.learning, training.version)}
      <p class="muted" id="learnt-next">${this.#next()}</p>
    </section>`;
  }

  #step(learning: Learning, version: string): TemplateResult {
    const { turns, newTurns, lessons, distilled } = learning;
    const shown = turns.length + lessons.length;
    const more = newTurns - turns.length;
    return html`<p id="learnt-now">${summary(learning, version)}</p>
      ${
        shown === 0
          ? nothing
          : html`<ul aria-label=${distilled > 0 ? t('Lessons of this step') : t('Turns of this step')}>
            ${turns.map((turn) => html`<li>${this.#link(turn.turnId, wanted(turn), about(turn))}</li>`)}
            ${lessons.map(({ turnId, subject, text }) => html`<li>${this.#link(turnId, text, subjectTitle(subject))}</li>`)}
          </ul>`
      }
      ${more > 0 ? html`<p class="muted">${t('and {0} more', more)}</p>` : nothing}`;
  }

  #link(turnId: string, text: string, small: string): TemplateResult {
    return html`<button class="turn" @click=${() => this.#open(turnId)}>
      <span class="line">${text}</span><span class="line muted">${small}</span>
    </button>`;
  }

  #next(): string {
    const { samplesReady, training, learning } = this.snapshot;
    if (learning !== 'on' && samplesReady > 0)
      return counted(
        samplesReady,
        t('1 correction waits until learning is on.'),
        t('{0} corrections wait until learning is on.', samplesReady),
      );
    if (samplesReady > 0)
      return counted(
        samplesReady,
        t('1 correction waits for the next step.'),
        t('{0} corrections wait for the next step.', samplesReady),
      );
    return training === null
      ? t('Nothing now. What you correct next makes a step.')
      : t('Nothing else waits.');
  }

  #open(turnId: string): void {
    this.dispatchEvent(new CustomEvent<string>('open', { detail: turnId }));
  }
}

function summary({ newTurns, repeated, distilled }: Learning, version: string): string {
  const parts = [
    ...(newTurns > 0 ? [counted(newTurns, t('1 new turn'), t('{0} new turns', newTurns))] : []),
    ...(repeated > 0
      ? [
          counted(
            repeated,
            t('1 earlier turn, so that it stays'),
            t('{0} earlier turns, so that they stay', repeated),
          ),
        ]
      : []),
    ...(distilled > 0
      ? [
          counted(
            distilled,
            t('what lessons bring about on 1 earlier request'),
            t('what lessons bring about on {0} earlier requests', distilled),
          ),
        ]
      : []),
  ];
  return t('{0} learns from {1}.', shortVersion(version), parts.join(t(' and ')));
}

/** The first line of what the turn is to become. */
function wanted({ correction, hint, proposal }: PanelTurn): string {
  return (correction ?? hint ?? proposal).split('\n').find((line) => line.trim() !== '') ?? t('(no text)');
}

function about({ subject, outcome, version }: PanelTurn): string {
  return [subjectTitle(subject), OUTCOMES[outcome], shortVersion(version)].join(' · ');
}
customElements.define('apprentice-being-learnt', BeingLearnt);
