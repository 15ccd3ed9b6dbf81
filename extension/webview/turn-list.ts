/** The last turns, newest first, a screenful at a time. */
import { html, type TemplateResult } from 'lit';
import type { PanelTurn } from '../../agent-server/protocol/panel.ts';
import { PagedList } from './paged-list.ts';
import './turn-card.ts';

const PAGE = 10;

export class TurnList extends PagedList {
  static override properties = { turns: { attribute: false } };
  declare turns: PanelTurn[];

  constructor() {
    super(PAGE);
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="turns-title">
      <h2 id="turns-title">Last turns</h2>
      ${
        this.turns.length === 0
          ? html`<p class="muted">
            Nothing yet. Stage a change and press the button "Write Commit Message" in the title of Source Control.
          </p>`
          : this.paged(
              this.turns,
              (turn) => html`<apprentice-turn .turn=${turn} .now=${this.now}></apprentice-turn>`,
            )
      }
    </section>`;
  }
}
customElements.define('apprentice-turns', TurnList);
