/** The page of turns: search and filters over the list, or the one turn that is open. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { PanelVersion } from '../../agent-server/protocol/panel.ts';
import { TurnFilter } from '../../agent-server/protocol/turns.ts';
import { chosenIn, OUTCOMES, shortVersion, TAKEN_FOR } from './format.ts';
import { type Kept, keep, kept } from './host.ts';
import { t } from './l10n.ts';
import { beginOf, dayOf, endOf, lastDayOf } from './local-day.ts';
import { sharedStyles } from './styles.ts';
import { TurnDetailView } from './turn-detail.ts';
import { TurnList } from './turn-list.ts';

/** A search begins when the typing stops for so long. */
const TYPING_MS = 250;

type Choice = readonly [value: string, title: string];
const ANY: Choice = ['', t('Any')];
const CHOICES: Record<'outcome' | 'subject' | 'takenFor', readonly Choice[]> = {
  outcome: [ANY, ...Object.entries(OUTCOMES)],
  subject: [
    ANY,
    ['commit_message', t('Commit message')],
    ['inline_edit', t('Inline edit')],
    ['chat', t('Chat')],
  ],
  takenFor: [ANY, ['main', t('main work')], ...Object.entries(TAKEN_FOR)],
};

export class TurnsPage extends LitElement {
  static override properties = {
    kept: { state: true },
    versions: { attribute: false },
    now: { attribute: false },
    changedAt: { attribute: false },
  };
  declare kept: Kept;
  declare versions: PanelVersion[];
  declare now: Date;
  declare changedAt: string;
  #typing: number | undefined;
  /** Where the list was scrolled to when a turn was opened. */
  #scrolledTo = 0;

  static override styles = [
    sharedStyles,
    css`
      form { display: grid; grid-template-columns: repeat(auto-fill, minmax(125px, 1fr)); gap: 8px; margin: 0 0 12px; }
      label { display: grid; gap: 2px; min-width: 0; font-size: 0.92em; }
      label.search { grid-column: 1 / -1; }
      .clear { align-self: end; }
    `,
  ];

  constructor() {
    super();
    this.kept = kept();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearTimeout(this.#typing);
  }

  override updated(changed: PropertyValues<this>): void {
    const before = changed.get('kept');
    if (before?.turnId != null && this.kept.turnId === null) {
      const to = this.#scrolledTo;
      requestAnimationFrame(() => {
        window.scrollTo(0, to);
        // It did not look while it was hidden.
        const list = this.renderRoot.querySelector('apprentice-turn-list');
        if (list instanceof TurnList) void list.focusAgain();
      });
    }
  }

  override render(): TemplateResult {
    const { turnId } = this.kept;
    return html`<section aria-labelledby="turns-title">
      <h2 id="turns-title" class="visually-hidden">${t('Turns')}</h2>
      ${turnId === null ? this.#filters() : this.#detail(turnId)}
      <!-- Stays while a turn is open, so that going back finds it as it was. -->
      <apprentice-turn-list ?hidden=${turnId !== null} .filter=${this.kept.filter} .now=${this.now}
        .changedAt=${this.changedAt} @open=${(event: CustomEvent<string>) => this.#open(event.detail)}></apprentice-turn-list>
    </section>`;
  }

  #detail(turnId: string): TemplateResult {
    return html`<apprentice-turn-detail .turnId=${turnId} .now=${this.now} .changedAt=${this.changedAt}
      @close=${() => this.#keep({ turnId: null })}></apprentice-turn-detail>`;
  }

  #filters(): TemplateResult {
    const { filter } = this.kept;
    const versions: Choice[] = this.versions.map(({ version }) => [version, shortVersion(version)]);
    return html`<form role="search" aria-label=${t('Filter turns')} @submit=${(event: Event) => event.preventDefault()}>
      <label class="search">${t('Search')}
        <input type="search" id="search" maxlength="200" placeholder=${t('In answers, your wording and folders')} .value=${filter.text}
          @input=${(event: Event) => this.#type(chosenIn(event))}>
      </label>
      ${this.#select('outcome', t('What became of it'), CHOICES.outcome)}
      ${this.#select('subject', t('Kind'), CHOICES.subject)}
      ${this.#select('version', t('Version'), [ANY, ...versions])}
      ${this.#select('takenFor', t('Taken for'), CHOICES.takenFor)}
      ${this.#day('from', t('From'), dayOf(filter.from), beginOf)}
      ${this.#day('to', t('To'), lastDayOf(filter.to), endOf)}
      ${this.#clear()}
    </form>`;
  }

  #select(
    name: 'outcome' | 'subject' | 'version' | 'takenFor',
    title: string,
    choices: readonly Choice[],
  ): TemplateResult {
    const chosen = this.kept.filter[name] ?? '';
    return html`<label>${title}
      <select id="filter-${name}" @change=${(event: Event) => this.#narrow({ [name]: chosenIn(event) || null })}>
        ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
      </select>
    </label>`;
  }

  #day(
    name: 'from' | 'to',
    title: string,
    day: string,
    moment: (day: string) => string | null,
  ): TemplateResult {
    return html`<label>${title}
      <input type="date" id="filter-${name}" .value=${day} @change=${(event: Event) => this.#narrow({ [name]: moment(chosenIn(event)) })}>
    </label>`;
  }

  #clear(): TemplateResult | typeof nothing {
    const { filter } = this.kept;
    if (filter.text === '' && Object.values({ ...filter, text: null }).every((value) => value === null))
      return nothing;
    return html`<div class="clear"><vscode-button secondary id="clear-filter" @click=${this.#showAll}>${t('Show all')}</vscode-button></div>`;
  }

  #showAll(): void {
    window.clearTimeout(this.#typing);
    this.#keep({ filter: TurnFilter.parse({}) });
  }

  #type(text: string): void {
    window.clearTimeout(this.#typing);
    this.#typing = window.setTimeout(() => this.#narrow({ text }), TYPING_MS);
  }

  #narrow(change: Record<string, string | null>): void {
    this.#keep({ filter: TurnFilter.parse({ ...this.kept.filter, ...change }) });
  }

  #open(turnId: string): void {
    this.#scrolledTo = window.scrollY;
    this.#keep({ turnId });
    window.scrollTo(0, 0);
    void this.focusTurn();
  }

  /** The keyboard goes on in the turn that is open. */
  async focusTurn(): Promise<void> {
    await this.updateComplete;
    const detail = this.renderRoot.querySelector('apprentice-turn-detail');
    if (detail instanceof TurnDetailView) await detail.focusBack();
  }

  #keep(change: Partial<Kept>): void {
    keep(change);
    this.kept = { ...this.kept, ...change };
  }
}

customElements.define('apprentice-turns', TurnsPage);
