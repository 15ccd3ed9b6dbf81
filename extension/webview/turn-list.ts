/** All turns as a list that draws only the rows in sight. Asks for pages as they come into sight. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, type nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { TurnFilter } from '../../agent-server/protocol/turns.ts';
import { ask } from './host.ts';
import { number, t } from './l10n.ts';
import { sharedStyles } from './styles.ts';
import { TurnPages } from './turn-pages.ts';
import { ROW_HEIGHT, rowStyles, turnRow } from './turn-row.ts';
import { type RowRange, visibleRows } from './virtual-rows.ts';

const PAGE_TURNS = 50;
/** While much is learnt the store changes several times a second; a list need not. */
const REFRESH_MS = 1_000;

export class TurnList extends LitElement {
  static override properties = {
    filter: { attribute: false },
    now: { attribute: false },
    changedAt: { attribute: false },
    range: { state: true },
    error: { state: true },
  };
  declare filter: TurnFilter;
  declare now: Date;
  /** Another value says that something may be different now. */
  declare changedAt: string;
  declare range: RowRange;
  declare error: string | null;
  #pages = new TurnPages();
  #asking = false;
  #refresh: number | undefined;
  #focused = 0;
  readonly #scrolled = (): void => this.#look();

  static override styles = [
    sharedStyles,
    rowStyles,
    css`
      ol { list-style: none; margin: 0; padding: 0; position: relative; }
      li { position: absolute; left: 0; right: 0; }
      .status { margin: 8px 0 0; }
    `,
  ];

  constructor() {
    super();
    this.range = { first: 0, last: 0 };
    this.error = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('scroll', this.#scrolled, { passive: true });
    window.addEventListener('resize', this.#scrolled, { passive: true });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener('scroll', this.#scrolled);
    window.removeEventListener('resize', this.#scrolled);
    window.clearTimeout(this.#refresh);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('filter')) {
      this.#pages = new TurnPages();
      this.#focused = 0;
    } else if (changed.has('changedAt')) {
      this.#refresh ??= window.setTimeout(() => {
        this.#refresh = undefined;
        this.#pages.changed();
        this.error = null;
        this.#look();
      }, REFRESH_MS);
    }
  }

  override updated(): void {
    this.#look();
  }

  override render(): TemplateResult {
    const { count } = this.#pages;
    const rows = Array.from({ length: this.range.last - this.range.first }, (_, n) => this.range.first + n);
    return html`<ol aria-label=${t('Turns, newest first')} .style=${`height: ${count * ROW_HEIGHT}px`} @keydown=${this.#key}>
        ${rows.map((index) => this.#row(index))}
      </ol>
      ${this.#status()}`;
  }

  #row(index: number): TemplateResult {
    const turn = this.#pages.row(index);
    return html`<li .style=${`top: ${index * ROW_HEIGHT}px`} aria-setsize=${this.#pages.ended ? this.#pages.count : -1} aria-posinset=${index + 1}>
      ${
        turn === undefined
          ? html`<button class="turn" disabled aria-label=${t('Loading…')}></button>`
          : html`<button class="turn" data-index=${index} tabindex=${index === this.#focused ? 0 : -1}
              @focus=${() => this.#focusOn(index)} @click=${() => this.#open(turn.turnId)}>${turnRow(turn, this.now)}</button>`
      }
    </li>`;
  }

  #status(): TemplateResult | typeof nothing {
    const { count, searched, total, ended, empty } = this.#pages;
    if (this.error !== null)
      return html`<div class="status problem" role="alert">
        <p>${this.error}</p>
        <vscode-button secondary @click=${this.#again}>${t('Try again')}</vscode-button>
      </div>`;
    if (empty) return html`<p class="status muted loading" role="status">${t('Loading…')}</p>`;
    if (total === 0)
      return html`<p class="status muted">${t(
        'Nothing yet. Stage a change and press the button “Write Commit Message” in the title of Source Control.',
      )}</p>`;
    if (!ended)
      return html`<p class="status muted" role="status">${t('{0} of {1} turns looked at…', number(searched), number(total))}</p>`;
    if (count === 0)
      return html`<p class="status muted" role="status">${t('None of {0} turns is like that.', number(total))}</p>`;
    return html`<p class="status muted" role="status">${t('{0} of {1} turns', number(count), number(total))}</p>`;
  }

  /** What is in sight now? Draws it, and asks for what is missing of it. */
  #look(): void {
    const list = this.renderRoot.querySelector('ol');
    if (list === null || this.hidden || !this.isConnected) return;
    const range = visibleRows({
      top: -list.getBoundingClientRect().top,
      height: window.innerHeight,
      rowHeight: ROW_HEIGHT,
      count: this.#pages.count,
    });
    if (range.first !== this.range.first || range.last !== this.range.last) this.range = range;
    if (!this.#asking && this.error === null) void this.#load(range);
  }

  async #load({ first, last }: RowRange): Promise<void> {
    const pages = this.#pages;
    const wanted = pages.wanted(first, last);
    if (wanted === undefined) return;
    this.#asking = true;
    try {
      const query = { filter: this.filter, before: wanted.before, limit: PAGE_TURNS };
      const { page } = await ask({ kind: 'turns', query });
      pages.put(wanted, page);
      pages.trim(first, last);
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
    } finally {
      this.#asking = false;
    }
    // Draws, and looks again: a page may be short, and another filter may have come meanwhile.
    this.requestUpdate();
  }

  /** Drawn again after it was hidden, where it did not look, with the focus where it was. */
  async focusAgain(): Promise<void> {
    this.#look();
    await this.#focusRow(this.#focused);
  }

  #again(): void {
    this.error = null;
  }

  #focusOn(index: number): void {
    this.#focused = index;
  }

  #open(turnId: string): void {
    this.dispatchEvent(new CustomEvent<string>('open', { detail: turnId }));
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(window.innerHeight / ROW_HEIGHT) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const last = this.#pages.count - 1;
    const to = { Home: 0, End: last }[event.key] ?? this.#focused + (steps[event.key] ?? Number.NaN);
    if (Number.isNaN(to)) return;
    event.preventDefault();
    void this.#focusRow(Math.max(0, Math.min(last, to)));
  }

  /** Brings the row into sight, where it is drawn, and puts the focus on it. */
  async #focusRow(index: number): Promise<void> {
    this.#focused = index;
    const list = this.renderRoot.querySelector('ol');
    if (list === null) return;
    const top = list.getBoundingClientRect().top + index * ROW_HEIGHT;
    if (top < 0) window.scrollBy(0, top);
    else if (top + ROW_HEIGHT > window.innerHeight) window.scrollBy(0, top + ROW_HEIGHT - window.innerHeight);
    this.#look();
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(`[data-index='${index}']`)?.focus();
  }
}

customElements.define('apprentice-turn-list', TurnList);
