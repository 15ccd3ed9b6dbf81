/** One turn with all that is known of it: the card, then what followed, who judged it, and what a step was told. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { TurnDetail } from '../../agent-server/protocol/turns.ts';
import { counted, decimal, sourceName, timeAgo } from './format.ts';
import { ask } from './host.ts';
import { sharedStyles } from './styles.ts';
import './token-advantages.ts';
import './turn-card.ts';
import './turn-label.ts';
import { t } from './l10n.ts';

/** While much is learnt the store changes several times a second; what is read need not. */
const REFRESH_MS = 1_000;

const HINT_SOURCES: Record<string, string> = {
  rewrite: t('you wrote instead'),
  review: t('you said'),
  test: t('the tests said'),
  compiler: t('the compiler said'),
  tool: t('a tool said'),
  judge: t('the judge said'),
};

const BATCH_STATES: Record<string, string> = {
  building: t('being built'),
  submitted: t('in training'),
  trained: t('trained'),
  failed: t('failed'),
};

export class TurnDetailView extends LitElement {
  static override properties = {
    turnId: {},
    now: { attribute: false },
    changedAt: { attribute: false },
    detail: { state: true },
    error: { state: true },
  };
  declare turnId: string;
  declare now: Date;
  declare changedAt: string;
  declare detail: TurnDetail | null;
  declare error: string | null;
  #refresh: number | undefined;

  static override styles = [
    sharedStyles,
    css`
      .back { margin-bottom: 12px; }
      section { margin-top: 20px; }
      ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
      .head { display: flex; flex-wrap: wrap; gap: 0 8px; margin-bottom: 2px; }
      .head strong { font-weight: 600; }
      table { border-collapse: collapse; width: 100%; }
      th { text-align: left; font-weight: 600; }
      th, td { padding: 3px 8px 3px 0; vertical-align: top; }
      td:last-child { overflow-wrap: anywhere; }
      td { border-top: 1px solid var(--vscode-panel-border, #8883); }
      pre { max-height: 18em; overflow-y: auto; }
    `,
  ];

  constructor() {
    super();
    this.detail = null;
    this.error = null;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearTimeout(this.#refresh);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('turnId')) void this.#load();
    else if (changed.has('changedAt'))
      this.#refresh ??= window.setTimeout(() => {
        this.#refresh = undefined;
        void this.#load();
      }, REFRESH_MS);
  }

  override render(): TemplateResult {
    return html`<div class="back"><vscode-button secondary id="back" @click=${this.#close}>${t('Back to all turns')}</vscode-button></div>
      ${this.error === null ? nothing : html`<p class="problem" role="alert">${this.error}</p>`}
      ${this.detail === null ? (this.error === null ? html`<p class="muted loading" role="status">${t('Loading…')}</p>` : nothing) : this.#whole(this.detail)}`;
  }

  #whole(detail: TurnDetail): TemplateResult {
    const { turn, advantages } = detail;
    return html`<apprentice-turn .turn=${turn} .now=${this.now}></apprentice-turn>
      <p class="muted">${origin(detail)}</p>
      <apprentice-turn-label .turn=${turn}></apprentice-turn-label>
      <section aria-labelledby="learnt-title">
        <h2 id="learnt-title">${t('What a training step was told of each token')}</h2>
        ${
          advantages.kind === 'unknown'
            ? html`<p class="muted" id="no-advantages">${advantages.why}</p>`
            : advantages.rows.map((row) => html`<apprentice-tokens .row=${row}></apprentice-tokens>`)
        }
        ${
          detail.batch === null
            ? nothing
            : html`<p class="muted">${t('Batch {0} ({1}): {2}.', detail.batch.batchId.slice(0, 8), BATCH_STATES[detail.batch.state] ?? detail.batch.state, detail.batch.version)} ${detail.batch.error ?? ''}</p>`
        }
      </section>
      ${this.#followed(detail)} ${this.#evidence(detail)} ${this.#votes(detail)} ${this.#hints(detail)}
      <section aria-labelledby="request-title">
        <h2 id="request-title">${t('What was asked')}</h2>
        <pre tabindex="0" aria-labelledby="request-title">${detail.request}</pre>
      </section>`;
  }

  #followed({ nextStates }: TurnDetail): TemplateResult {
    return html`<section aria-labelledby="followed-title">
      <h2 id="followed-title">${t('What happened next')}</h2>
      ${
        nextStates.length === 0
          ? html`<p class="muted">${t('Nothing was seen yet.')}</p>`
          : html`<ol>${nextStates.map(
              ({ kind, observedAt, text }) => html`<li>
                <div class="head"><strong>${sourceName(kind)}</strong>
                  <time class="muted" datetime=${observedAt}>${timeAgo(observedAt, this.now)}</time></div>
                <pre tabindex="0" aria-label=${t('Next state')}>${text}</pre>
              </li>`,
            )}</ol>`
      }
    </section>`;
  }

  #evidence({ evidence }: TurnDetail): TemplateResult {
    return html`<section aria-labelledby="evidence-title">
      <h2 id="evidence-title">${t('Evidence')}</h2>
      ${
        evidence.length === 0
          ? html`<p class="muted">${t('None was read yet.')}</p>`
          : html`<table>
            <thead><tr><th scope="col">${t('Source')}</th><th scope="col">${t('Score')}</th><th scope="col">${t('Rank')}</th><th scope="col">${t('Says')}</th></tr></thead>
            <tbody>${evidence.map(
              ({ source, score, rank, detail }) =>
                html`<tr><td>${sourceName(source)}</td><td>${signed(score)}</td><td>${rank}</td><td>${detail}</td></tr>`,
            )}</tbody>
          </table>`
      }
    </section>`;
  }

  #votes({ votes }: TurnDetail): TemplateResult | typeof nothing {
    if (votes.length === 0) return nothing;
    return html`<section aria-labelledby="votes-title">
      <h2 id="votes-title">${t('Votes')}</h2>
      <ol>${votes.map(
        ({ score, judge, model, raw, latencyMs, outdated }) => html`<li>
          <div class="head"><strong>${signed(score)}</strong>
            <span class="muted">${judge}, ${model}, ${t('{0} s', decimal(latencyMs / 1000, 1))}${outdated ? `, ${t('before a later next state: does not count')}` : ''}</span></div>
          <pre tabindex="0" aria-label=${t('What the judge answered')}>${raw}</pre>
        </li>`,
      )}</ol>
    </section>`;
  }

  #hints({ hints }: TurnDetail): TemplateResult | typeof nothing {
    if (hints.length === 0) return nothing;
    return html`<section aria-labelledby="hints-title">
      <h2 id="hints-title">${t('Hints, best first')}</h2>
      <ol>${hints.map(
        ({ source, text }) => html`<li>
          <div class="head muted">${HINT_SOURCES[source] ?? source}</div>
          <pre tabindex="0" aria-label=${t('Hint')}>${text}</pre>
        </li>`,
      )}</ol>
    </section>`;
  }

  async #load(): Promise<void> {
    const { turnId } = this;
    try {
      const { detail } = await ask({ kind: 'turn', turnId });
      if (turnId !== this.turnId) return;
      this.detail = detail;
      this.error = null;
    } catch (error) {
      if (turnId !== this.turnId) return;
      this.detail = null;
      this.error = error instanceof Error ? error.message : String(error);
    }
  }

  async focusBack(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('#back')?.focus();
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent('close'));
  }
}

function origin({ client, responseTokens, finishReason, lessons }: TurnDetail): string {
  const ended =
    { stop: '', length: `, ${t('cut off at the limit')}`, abort: `, ${t('stopped')}` }[finishReason] ?? '';
  return [
    ...(client === null ? [] : [t('Asked by {0}', client)]),
    `${counted(responseTokens, t('1 token'), t('{0} tokens', responseTokens))}${ended}`,
    ...(lessons === 0
      ? []
      : [
          counted(
            lessons,
            t('1 lesson stood before the request'),
            t('{0} lessons stood before the request', lessons),
          ),
        ]),
  ].join(' · ');
}

export function signed(score: number | null): string {
  if (score === null) return t('no score');
  return score > 0 ? '+1' : score < 0 ? '−1' : '0';
}
customElements.define('apprentice-turn-detail', TurnDetailView);
