/** Lessons as an editor lists and changes them. What a lesson does is hindsight/'s. */
import { type PanelLesson, SUBJECT_TITLES } from '../protocol/panel.ts';
import type { Lesson } from '../store/lesson-types.ts';
import type { Store } from '../store/store.ts';

/** Of a request, what a list has room for. */
const EXCERPT_CHARS = 300;

/** Newest first. */
export function panelLessons(store: Pick<Store, 'lessons'>, limit: number): PanelLesson[] {
  return store.lessons(limit).map(panelLesson);
}

export function panelLesson(lesson: Lesson): PanelLesson {
  return {
    lessonId: lesson.lessonId,
    turnId: lesson.turnId,
    subject: SUBJECT_TITLES[lesson.kind],
    repository: lesson.workspace,
    request: lesson.request.slice(0, EXCERPT_CHARS),
    rewrite: lesson.rewrite,
    hint: lesson.hint,
    state: lesson.state,
    edited: lesson.edited,
    createdAt: new Date(lesson.createdAtMs).toISOString(),
    retiredBy: lesson.retiredBy,
  };
}
