/** Two versions answer the user's own earlier requests: which ones are asked, and their answers with what differs. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelVersion } from '../../agent-server/protocol/panel.ts';
import {
  type AnswerPair,
  MAX_SIDE_BY_SIDE,
  SideBySideRequest,
} from '../../agent-server/protocol/promotion.ts';
import type { SideBySide } from '../panel/messages.ts';
import { diffSide, diffStyles } from './diff-side.ts';
import { chosenIn, shortVersion } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';
import { wordDiff } from './word-diff.ts';

const BASE = 'policy@v0';
const DEFAULT_REQUESTS = 4;

export class SideBySideSection extends LitElement {
  static override properties = {
    versions: { attribute: false },
    serving: {},
    shown: { attribute: false },
    left: { state: true },
    right: { state: true },
    requests: { state: true },
  };
  declare versions: PanelVersion[];
  declare serving: string;
  declare shown: SideBySide | null;
  /** Null: not chosen yet. */
  declare left: string | null;
  declare right: string | null;
  declare requests: number;

  static override styles = [
    sharedStyles,
    diffStyles,
    css`
      :host { container-type: inline-size; }
      form { display: grid; grid-template-columns: repeat(auto-fill, minmax(125px, 1fr)); gap: 8px; margin: 0 0 8px; }
      label { display: grid; gap: 2px; min-width: 0; font-size: 0.92em; }
      ol { list-style: none; margin: 12px 0 0; padding: 0; display: grid; gap: 12px; }
      article { border: 1px solid var(--vscode-panel-border, #8884); border-radius: 6px; padding: 8px 10px; }
      .texts { display: grid; gap: 8px; margin: 8px 0 0; }
      @container (min-width: 480px) { .texts { grid-template-columns: 1fr 1fr; } }
      figure { margin: 0; min-width: 0; }
      figcaption { font-size: 0.9em; margin-bottom: 2px; }
      pre { max-height: 18em; overflow-y: auto; }
      .asked { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; line-clamp: 3; overflow: hidden; white-space: pre-line; overflow-wrap: anywhere; }
      .row { margin-top: 8px; }
    `,
  ];

  constructor() {
    super();
    this.left = null;
    this.right = null;
    this.requests = DEFAULT_REQUESTS;
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="side-title">
      <h2 id="side-title">${t('Answers side by side')}</h2>
      ${this.#form()}
      ${this.shown === null ? nothing : this.#answers(this.shown)}
    </section>`;
  }

  #form(): TemplateResult {
    const choices = this.#choices();
    const [left, right] = this.#chosen(choices);
    if (choices.length < 2)
      return html`<p class="muted">${t('There is one version only. The next one can be set beside it.')}</p>`;
    const running = this.shown?.state.kind === 'running';
    const numbers = Array.from({ length: MAX_SIDE_BY_SIDE }, (_, n) => String(n + 1));
    return html`<p class="muted">${t(
      'Both answer your newest requests, those first that neither learnt from: greedily, without lessons, some seconds an answer. Nothing of it is stored or learnt from.',
    )}</p>
      <form aria-label=${t('Answers side by side')} @submit=${(event: Event) => event.preventDefault()}>
        ${select('left', t('One version'), choices, left, (value) => {
          this.left = value;
        })}
        ${select('right', t('The other version'), choices, right, (value) => {
          this.right = value;
        })}
        ${select('requests', t('Requests'), numbers, String(this.requests), (value) => {
          this.requests = Number(value);
        })}
      </form>
      <vscode-button id="answer-side-by-side" ?disabled=${running || left === right} @click=${() => this.#ask(left, right)}>${t('Let both answer')}</vscode-button>`;
  }

  /** The base, and every version whose weights are kept, newest first. */
  #choices(): string[] {
    const kept = this.versions.filter(
      ({ kept, state, version }) => kept && state !== 'training' && version !== BASE,
    );
    return [...kept.map(({ version }) => version), BASE];
  }

  /** What was chosen where it is still there; else what serves, beside the one that it came from. */
  #chosen(choices: readonly string[]): [string, string] {
    const there = (version: string | null | undefined): version is string =>
      version != null && choices.includes(version);
    const right = there(this.right) ? this.right : there(this.serving) ? this.serving : (choices[0] ?? BASE);
    const parent = this.versions.find(({ version }) => version === right)?.parent;
    const left = there(this.left)
      ? this.left
      : there(parent)
        ? parent
        : (choices.find((one) => one !== right) ?? BASE);
    return [left, right];
  }

  #ask(left: string, right: string): void {
    const request = SideBySideRequest.parse({ left, right, requests: this.requests });
    send({ type: 'sideBySide', request });
  }

  #answers({ left, right, state, pairs }: SideBySide): TemplateResult {
    const names: [string, string] = [shortVersion(left), shortVersion(right)];
    return html`<div role="status" class="row" id="side-state">${told({ left, right, state, pairs })}</div>
      <div class="row">
        ${
          state.kind === 'running'
            ? html`<vscode-button secondary id="stop-side-by-side" @click=${() => send({ type: 'stopSideBySide' })}>${t('Stop')}</vscode-button>`
            : html`<vscode-button secondary id="close-side-by-side" @click=${() => send({ type: 'closeSideBySide' })}>${t('Put away')}</vscode-button>`
        }
      </div>
      <ol aria-label=${t('{0} beside {1}', ...names)}>${pairs.map((pair) => html`<li>${card(pair, names)}</li>`)}</ol>`;
  }
}

function told({ left, right, state, pairs }: SideBySide): TemplateResult | string {
  const names = [shortVersion(left), shortVersion(right)] as const;
  if (state.kind === 'failed') return html`<span class="problem" role="alert">${state.message}</span>`;
  if (state.kind === 'running')
    return t('{0} and {1} answer: {2} of {3}', ...names, pairs.length, state.total);
  const same = pairs.filter((pair) => pair.left === pair.right).length;
  return t('{0} beside {1}: {2} requests, {3} answered alike.', ...names, pairs.length, same);
}

function card(
  { request, wanted, heldOut, left, right }: AnswerPair,
  names: [string, string],
): TemplateResult {
  const parts = wordDiff(left, right);
  const learnt = heldOut ? t('neither learnt from it') : t('learnt from');
  return html`<article>
    <div class="asked">${request}</div>
    <div class="muted">${learnt}${left === right ? ` · ${t('both say the same')}` : ''}</div>
    <div class="texts">
      <figure><figcaption class="muted">${names[0]}</figcaption><pre tabindex="0" aria-label=${t('Answer of {0}', names[0])}>${diffSide(parts, 'removed')}</pre></figure>
      <figure><figcaption class="muted">${names[1]}</figcaption><pre tabindex="0" aria-label=${t('Answer of {0}', names[1])}>${diffSide(parts, 'added')}</pre></figure>
    </div>
    ${
      wanted === null
        ? nothing
        : html`<figure class="row"><figcaption class="muted">${t('What you wanted')}</figcaption><pre tabindex="0" aria-label=${t('What you wanted')}>${wanted}</pre></figure>`
    }
  </article>`;
}

function select(
  name: string,
  title: string,
  choices: readonly string[],
  chosen: string,
  choose: (value: string) => void,
): TemplateResult {
  return html`<label>${title}
    <select id="side-${name}" @change=${(event: Event) => choose(chosenIn(event))}>
      ${choices.map((value) => html`<option value=${value} ?selected=${value === chosen}>${value.startsWith('policy@') ? shortVersion(value) : value}</option>`)}
    </select>
  </label>`;
}
customElements.define('apprentice-side-by-side', SideBySideSection);
