/** One turn: what was proposed, what the user did with it, what was learnt from that and by which version. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { PanelTurn } from '../../agent-server/protocol/panel.ts';
import { diffSide, diffStyles } from './diff-side.ts';
import {
  decider,
  folderName,
  OUTCOMES,
  SAMPLE_STATES,
  shortVersion,
  subjectTitle,
  TAKEN_FOR,
  timeAgo,
} from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';
import { wordDiff } from './word-diff.ts';

const THUMB = svg`<path d="M5 14V7l3-5c1.2 0 1.8.9 1.6 2L9.2 6H13c.8 0 1.3.7 1.1 1.5l-1.3 5.3c-.2.7-.8 1.2-1.5 1.2H5Zm0 0H2.5V7H5" fill="none" stroke="currentColor" stroke-width="1.2" stroke-linejoin="round"></path>`;

export class TurnCard extends LitElement {
  static override properties = { turn: { attribute: false }, now: { attribute: false } };
  declare turn: PanelTurn;
  declare now: Date;

  static override styles = [
    sharedStyles,
    diffStyles,
    css`
      :host { container-type: inline-size; }
      article { border: 1px solid var(--vscode-panel-border, #8884); border-radius: 6px; padding: 8px 10px; }
      header { display: flex; gap: 8px; align-items: flex-start; justify-content: space-between; }
      h3 { font-size: 1em; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
      .meta { font-size: 0.92em; }
      .thumbs { flex: none; display: flex; gap: 2px; }
      .down svg { rotate: 180deg; }
      .texts { display: grid; gap: 8px; margin: 8px 0; }
      @container (min-width: 480px) { .texts.two { grid-template-columns: 1fr 1fr; } }
      figure { margin: 0; min-width: 0; }
      figcaption { font-size: 0.9em; margin-bottom: 2px; }
      pre {
        margin: 0; padding: 6px 8px; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 4px;
        background: var(--vscode-textCodeBlock-background); font-family: var(--vscode-editor-font-family);
        font-size: var(--vscode-editor-font-size, 12px);
      }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; margin: 0; font-size: 0.92em; }
      dt { color: var(--vscode-descriptionForeground); }
      dd { margin: 0; overflow-wrap: anywhere; }
      .buttons { margin-top: 8px; }
    `,
  ];

  override render(): TemplateResult {
    const { turn } = this;
    return html`<article aria-labelledby="title">
      <header>
        <div>
          <h3 id="title">${subjectTitle(turn.subject)}</h3>
          <div class="meta muted">
            ${turn.repository ? html`<span title=${turn.repository}>${folderName(turn.repository)}</span> · ` : nothing}${turn.client === null ? nothing : html`<span id="client" title=${t('The agent that asked')}>${turn.client}</span> · `}<span id="version">${turn.version}</span> ·
            <time datetime=${turn.createdAt}>${timeAgo(turn.createdAt, this.now)}</time>
          </div>
        </div>
        <div class="thumbs" role="group" aria-label=${t('Rate this proposal')}>
          ${this.#thumb(1, 'up', t('Thumbs up'))} ${this.#thumb(-1, 'down', t('Thumbs down'))}
        </div>
      </header>
      ${this.#texts()}
      <dl>
        <dt>${t('You')}</dt>
        <dd id="outcome">${OUTCOMES[turn.outcome]}</dd>
        ${turn.takenFor === 'main' ? nothing : html`<dt>${t('Taken for')}</dt><dd id="taken-for">${TAKEN_FOR[turn.takenFor]}</dd>`}
        ${turn.score === null ? nothing : this.#score(turn.score)}
        ${turn.hint === null || turn.hint === turn.correction ? nothing : html`<dt>${t('Hint')}</dt><dd>${turn.hint}</dd>`}
        <dt>${t('Learning')}</dt>
        <dd id="learnt">${this.#learnt()}</dd>
        ${turn.notes.map((note) => html`<dt>${t('Note')}</dt><dd class="note">${note}</dd>`)}
      </dl>
      <div class="row buttons">
        ${this.#leaveOut()}
        <vscode-button secondary id="delete" @click=${() => send({ type: 'deleteTurn', turnId: turn.turnId })}>${t('Delete…')}</vscode-button>
      </div>
    </article>`;
  }

  /** Only where there is something to learn, or was. */
  #leaveOut(): TemplateResult | typeof nothing {
    const { turnId, excluded, sampleState } = this.turn;
    if (sampleState === 'none' && !excluded) return nothing;
    return html`<vscode-button secondary id="exclude" @click=${() => send({ type: 'excludeTurn', turnId, on: !excluded })}>
      ${excluded ? t('Learn from it again') : t('Leave out')}
    </vscode-button>`;
  }

  #score(score: NonNullable<PanelTurn['score']>): TemplateResult {
    const tone = score > 0 ? 'good' : score < 0 ? 'bad' : 'muted';
    const by = this.turn.decidedBy === null ? '' : ` (${decider(this.turn.decidedBy)})`;
    return html`<dt>${t('Score')}</dt><dd><span class=${tone} id="score">${score > 0 ? '+1' : score}</span>${by}</dd>`;
  }

  #learnt(): string {
    const { learntBy, batchId, outcome, sampleState, excluded } = this.turn;
    if (excluded)
      return learntBy === null
        ? t('left out by you')
        : t('left out by you; {0} learnt from it before', shortVersion(learntBy));
    if (outcome === 'pending' && sampleState === 'none') return t('not yet');
    const batch = batchId === null ? '' : `, ${t('batch {0}', batchId.slice(0, 8))}`;
    return learntBy === null
      ? `${SAMPLE_STATES[sampleState]}${batch}`
      : `${t('learnt by {0}', shortVersion(learntBy))}${batch}`;
  }

  #texts(): TemplateResult {
    const { proposal, correction } = this.turn;
    if (correction === null || correction === proposal) {
      return html`<div class="texts"><figure><pre aria-label=${t('Proposed')}>${proposal}</pre></figure></div>`;
    }
    const parts = wordDiff(proposal, correction);
    return html`<div class="texts two">
      <figure><figcaption class="muted">${t('Proposed')}</figcaption><pre>${diffSide(parts, 'removed')}</pre></figure>
      <figure><figcaption class="muted">${t('You wrote')}</figcaption><pre>${diffSide(parts, 'added')}</pre></figure>
    </div>`;
  }

  #thumb(value: 1 | -1, direction: 'up' | 'down', label: string): TemplateResult {
    const given = this.turn.outcome === `thumb_${direction}`;
    return html`<button class="plain ${direction}" title=${label} aria-label=${label} aria-pressed=${given}
      @click=${() => send({ type: 'label', turnId: this.turn.turnId, value, rewrite: null, words: null })}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">${THUMB}</svg>
    </button>`;
  }
}

customElements.define('apprentice-turn', TurnCard);
