/** The user's lessons: corrections that act at once, in the prompt. Each can be worded anew, switched off, deleted. */
import { html, type TemplateResult } from 'lit';
import type { PanelLesson } from '../../agent-server/protocol/panel.ts';
import { count } from './format.ts';
import './lesson-card.ts';
import { PagedList } from './paged-list.ts';

const PAGE = 5;
/** As many as a view brings. */
const MAX_LISTED = 50;

export class LessonList extends PagedList {
  static override properties = { lessons: { attribute: false } };
  declare lessons: PanelLesson[];

  constructor() {
    super(PAGE);
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="lessons-title">
      <h2 id="lessons-title">Lessons</h2>
      <p class="muted" id="lessons-summary">${summary(this.lessons)}</p>
      ${this.paged(
        this.lessons,
        (lesson) => html`<apprentice-lesson .lesson=${lesson} .now=${this.now}></apprentice-lesson>`,
      )}
    </section>`;
  }
}

function summary(lessons: readonly PanelLesson[]): string {
  if (lessons.length === 0)
    return 'None yet. What you correct stands as an example before your next requests, until the model has learnt it.';
  const newest = lessons.length < MAX_LISTED ? '' : `Of the newest ${MAX_LISTED}: `;
  const active = lessons.filter(({ state }) => state === 'active').length;
  const learnt = lessons.filter(({ state }) => state === 'retired').length;
  return `${newest}${count(active, 'lesson')} may stand before a request like theirs${learnt > 0 ? `; ${learnt} learnt, needed no more` : ''}.`;
}
customElements.define('apprentice-lessons', LessonList);
