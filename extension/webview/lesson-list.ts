/** The user's lessons: corrections that act at once, in the prompt. Each can be worded anew, switched off, deleted. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelLesson } from '../../agent-server/protocol/panel.ts';
import { count } from './format.ts';
import './lesson-card.ts';
import { sharedStyles } from './styles.ts';

const PAGE = 5;

export class LessonList extends LitElement {
  static override properties = {
    lessons: { attribute: false },
    now: { attribute: false },
    shown: { state: true },
  };
  declare lessons: PanelLesson[];
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
    const left = this.lessons.length - this.shown;
    return html`<section aria-labelledby="lessons-title">
      <h2 id="lessons-title">Lessons</h2>
      <p class="muted" id="lessons-summary">${summary(this.lessons)}</p>
      <ul>
        ${this.lessons
          .slice(0, this.shown)
          .map(
            (lesson) =>
              html`<li><apprentice-lesson .lesson=${lesson} .now=${this.now}></apprentice-lesson></li>`,
          )}
      </ul>
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

function summary(lessons: readonly PanelLesson[]): string {
  if (lessons.length === 0)
    return 'None yet. What you correct stands as an example before your next requests, until the model has learnt it.';
  const active = lessons.filter(({ state }) => state === 'active').length;
  const learnt = lessons.filter(({ state }) => state === 'retired').length;
  return `${count(active, 'lesson')} may stand before a request like theirs${learnt > 0 ? `; ${learnt} learnt, needed no more` : ''}.`;
}
customElements.define('apprentice-lessons', LessonList);
