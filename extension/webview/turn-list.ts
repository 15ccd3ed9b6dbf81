/** The last turns, newest first, a screenful at a time. */
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelTurn } from '../../agent-server/protocol/panel.ts';
import './turn-card.ts';
import { sharedStyles } from './styles.ts';

const PAGE = 10;

export class TurnList extends LitElement {
  static override properties = {
    turns: { attribute: false },
    now: { attribute: false },
    shown: { state: true },
  };
  declare turns: PanelTurn[];
  declare now: Date;
  declare shown: number;

  static override styles = [
    sharedStyles,
    css`
      ul { list-style: none; margin: 0 0 8px; padding: 0; display: grid; gap: 10px; }
    `,
  ];

  constructor() {
    super();
    this.shown = PAGE;
  }

  override render(): TemplateResult {
    const left = this.turns.length - this.shown;
    return html`<section aria-labelledby="turns-title">
      <h2 id="turns-title">Last turns</h2>
      ${
        this.turns.length === 0
          ? html`<p class="muted">
            Nothing yet. Stage a change and press the button "Write Commit Message" in the title of Source Control.
          </p>`
          : html`<ul>
            ${this.turns
              .slice(0, this.shown)
              .map(
                (turn) => html`<li><apprentice-turn .turn=${turn} .now=${this.now}></apprentice-turn></li>`,
              )}
          </ul>`
      }
      ${
        left <= 0
          ? nothing
          : html`<vscode-button secondary @click=${this.#more}>Show ${Math.min(PAGE, left)} more</vscode-button>`
      }
    </section>`;
  }

  #more(): void {
    this.shown += PAGE;
  }
}
customElements.define('apprentice-turns', TurnList);
