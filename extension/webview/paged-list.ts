/** A list of cards, a page at a time. What is in it, and what stands above it, are the lists that extend this. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import {
  type CSSResult,
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from 'lit';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

export abstract class PagedList extends LitElement {
  static override properties: PropertyDeclarations = { now: { attribute: false }, shown: { state: true } };
  declare now: Date;
  declare shown: number;

  static override styles: CSSResult[] = [
    sharedStyles,
    css`
      ul { list-style: none; margin: 0 0 8px; padding: 0; display: grid; gap: 10px; }
    `,
  ];

  readonly #page: number;

  /** `page`: how many stand there at first, and come with every press of the button. */
  constructor(page: number) {
    super();
    this.#page = page;
    this.shown = page;
  }

  protected paged<T>(items: readonly T[], card: (item: T) => TemplateResult): TemplateResult {
    const left = items.length - this.shown;
    return html`<ul>
        ${items.slice(0, this.shown).map((item) => html`<li>${card(item)}</li>`)}
      </ul>
      ${
        left <= 0
          ? nothing
          : html`<vscode-button secondary @click=${this.#more}>${t('Show {0} more', Math.min(this.#page, left))}</vscode-button>`
      }`;
  }

  #more(): void {
    this.shown += this.#page;
  }
}
