/** The user's own label of a turn, which outranks everything else, and how it should have been. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-textarea/index.js';
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { MAX_LESSON_CHARS, type PanelTurn } from '../../agent-server/protocol/panel.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

type Value = 1 | 0 | -1;
const LABELS: readonly { value: Value; title: string }[] = [
  { value: 1, title: t('+1 Right') },
  { value: 0, title: t('0 Neither') },
  { value: -1, title: t('−1 Wrong') },
];

interface Draft {
  rewrite: string;
  words: string;
}

export class TurnLabel extends LitElement {
  static override properties = { turn: { attribute: false }, draft: { state: true } };
  declare turn: PanelTurn;
  declare draft: Draft | null;

  static override styles = [
    sharedStyles,
    css`
      :host { margin-top: 16px; }
      .buttons { margin-top: 8px; }
      vscode-textarea { width: 100%; margin-top: 6px; }
      .label {
        font: inherit; color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground);
        border: 1px solid var(--vscode-button-border, var(--vscode-contrastBorder, transparent)); border-radius: 2px; padding: 3px 10px; cursor: pointer;
      }
      .label[aria-pressed='true'] {
        color: var(--vscode-button-foreground); background: var(--vscode-button-background); font-weight: 600;
        border-color: var(--vscode-focusBorder);
      }
    `,
  ];

  constructor() {
    super();
    this.draft = null;
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('turn') && changed.get('turn')?.turnId !== this.turn.turnId) this.draft = null;
  }

  override render(): TemplateResult | typeof nothing {
    // What an agent asked on its own account is never learnt from, whatever is said of it.
    if (this.turn.takenFor !== 'main') return nothing;
    return html`<section aria-labelledby="label-title">
      <h2 id="label-title">${t('Your label')}</h2>
      <p class="muted">${t('It outranks everything that was seen and judged.')}</p>
      ${this.draft === null ? this.#choices() : this.#editor(this.draft)}
    </section>`;
  }

  #choices(): TemplateResult {
    const { score, hint } = this.turn;
    return html`<div class="row" role="group" aria-label=${t('Label')}>
        ${LABELS.map(
          ({
            value,
            title,
          }) => html`<button class="label" id="label${value}" aria-pressed=${this.#given(value)}
            @click=${() => this.#send(value, null, null)}>${title}</button>`,
        )}
        <vscode-button secondary id="edit-hint" @click=${this.#edit}>
          ${score === -1 && hint !== null ? t('Edit the hint') : t('Say how it should have been')}
        </vscode-button>
      </div>`;
  }

  #given(value: Value): boolean {
    return this.turn.score === value && this.turn.decidedBy === 'evidence:thumb';
  }

  #editor(draft: Draft): TemplateResult {
    const empty = draft.rewrite.trim() === '' && draft.words.trim() === '';
    return html`
      <vscode-textarea id="rewrite" .label=${t('As you want it')} monospace rows="5" maxlength=${MAX_LESSON_CHARS} .value=${draft.rewrite}
        @input=${(event: Event) => this.#type({ rewrite: textOf(event) })}></vscode-textarea>
      <vscode-textarea id="words" .label=${t('In your words, one to three sentences')} rows="2" maxlength=${MAX_HINT_CHARS} .value=${draft.words}
        @input=${(event: Event) => this.#type({ words: textOf(event) })}></vscode-textarea>
      <div class="row buttons">
        <vscode-button id="save-hint" ?disabled=${empty} @click=${() => this.#save(draft)}>${t('Save as −1 with this hint')}</vscode-button>
        <vscode-button secondary id="cancel-hint" @click=${this.#close}>${t('Cancel')}</vscode-button>
      </div>`;
  }

  #edit(): void {
    const { correction, hint, proposal } = this.turn;
    this.draft = { rewrite: correction ?? proposal, words: hint !== null && hint !== correction ? hint : '' };
  }

  #type(change: Partial<Draft>): void {
    if (this.draft !== null) this.draft = { ...this.draft, ...change };
  }

  /** Left as it was proposed it is no rewrite: '' takes an earlier one back. */
  #save({ rewrite, words }: Draft): void {
    const own = rewrite.trim() === this.turn.proposal.trim() ? '' : rewrite;
    this.#send(-1, own, words.trim() === '' ? null : words);
    this.#close();
  }

  #send(value: Value, rewrite: string | null, words: string | null): void {
    send({ type: 'label', turnId: this.turn.turnId, value, rewrite, words });
  }

  #close(): void {
    this.draft = null;
  }
}

/** Longer ones are cut where hints are settled. */
const MAX_HINT_CHARS = 600;

function textOf({ target }: Event): string {
  return target !== null && 'value' in target && typeof target.value === 'string' ? target.value : '';
}
customElements.define('apprentice-turn-label', TurnLabel);
