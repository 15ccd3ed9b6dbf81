/** The user's lessons: corrections that act at once, in the prompt. Each can be worded anew, switched off, deleted. */
import { html, type PropertyValues, type TemplateResult } from 'lit';
import type { PanelLesson } from '../../agent-server/protocol/panel.ts';
import { Asking } from './asking.ts';
import { counted } from './format.ts';
import { ask } from './host.ts';
import './lesson-card.ts';
import { t } from './l10n.ts';
import { PagedList } from './paged-list.ts';

const PAGE = 5;
/** As many as a view brings; the older ones are asked for. */
const IN_VIEW = 50;

export class LessonList extends PagedList {
  static override properties = { lessons: { attribute: false }, changedAt: { attribute: false } };
  /** The newest, as a view brings them. */
  declare lessons: PanelLesson[];
  declare changedAt: string;
  readonly #all = new Asking(this, async () =>
    this.lessons.length < IN_VIEW ? [] : (await ask({ kind: 'lessons' })).lessons,
  );

  constructor() {
    super(PAGE);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.get('changedAt') !== undefined) this.#all.changed();
  }

  override render(): TemplateResult {
    const oldest = this.lessons.at(-1)?.lessonId ?? 0;
    const older = (this.#all.value ?? []).filter(({ lessonId }) => lessonId < oldest);
    const lessons = [...this.lessons, ...older];
    return html`<section aria-labelledby="lessons-title">
      <h2 id="lessons-title">${t('Lessons')}</h2>
      <p class="muted" id="lessons-summary">${summary(lessons)}</p>
      ${this.paged(
        lessons,
        (lesson) => html`<apprentice-lesson .lesson=${lesson} .now=${this.now}></apprentice-lesson>`,
      )}
    </section>`;
  }
}

function summary(lessons: readonly PanelLesson[]): string {
  if (lessons.length === 0)
    return t(
      'None yet. What you correct stands as an example before your next requests, until the model has learnt it.',
    );
  const active = lessons.filter(({ state }) => state === 'active').length;
  const learnt = lessons.filter(({ state }) => state === 'retired').length;
  const acting = counted(
    active,
    t('1 lesson may stand before a request like its own.'),
    t('{0} lessons may stand before a request like theirs.', active),
  );
  return learnt > 0 ? `${acting} ${t('Learnt, and needed no more: {0}.', learnt)}` : acting;
}
customElements.define('apprentice-lessons', LessonList);
