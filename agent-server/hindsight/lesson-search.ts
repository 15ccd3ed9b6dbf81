/**
 * Which lessons serve a request: those of its own kind, workspace and agent, the most similar first. Never those of
 * another repository: its conventions are others, and its text has no business in this one's messages. Pure: made
 * anew from the active lessons whenever they change. How many fit a prompt is lesson-prompt.ts.
 */
import MiniSearch from 'minisearch';
import type { LessonId } from '../protocol/ids.ts';
import type { Lesson } from '../store/lesson-types.ts';

export { MAX_SEARCHED_LESSONS } from '../store/lessons.ts';

/** Of a request, its lesson or a query: what it is about stands at its beginning. */
const MAX_SEARCHED_CHARS = 2_000;

/** Whose request it is: a lesson serves what agrees with it in all three. */
export type Audience = Pick<Lesson, 'kind' | 'workspace' | 'systemOpening'>;

export class LessonIndex {
  readonly #audiences = new Map<string, AudienceIndex>();

  /** `lessons` newest first. */
  constructor(lessons: readonly Lesson[]) {
    const groups = Map.groupBy(lessons, keyOf);
    for (const [key, group] of groups) this.#audiences.set(key, new AudienceIndex(group));
  }

  /**
   * At most `limit` lessons for a request, best first: by BM25+ over the words of the requests, then, where fewer
   * share a word with it, the newest: what the user wants of the form holds for requests about anything.
   */
  best(audience: Audience, request: string, limit: number): Lesson[] {
    return this.#audiences.get(keyOf(audience))?.best(request, limit) ?? [];
  }
}

class AudienceIndex {
  readonly #lessons: readonly Lesson[];
  /** Made at the first search: most audiences are not asked for between two changes. */
  #search: MiniSearch | undefined;

  constructor(lessons: readonly Lesson[]) {
    this.#lessons = lessons;
  }

  best(request: string, limit: number): Lesson[] {
    this.#search ??= searchOver(this.#lessons);
    const scores = new Map<LessonId, number>();
    for (const { id, score } of this.#search.search(request.slice(0, MAX_SEARCHED_CHARS)))
      scores.set(id, score);
    const scoreOf = ({ lessonId }: Lesson): number => scores.get(lessonId) ?? 0;
    // The sort is stable, and the lessons stand newest first.
    return this.#lessons.toSorted((a, b) => scoreOf(b) - scoreOf(a)).slice(0, limit);
  }
}

function searchOver(lessons: readonly Lesson[]): MiniSearch {
  const search = new MiniSearch({ fields: ['request'] });
  search.addAll(
    lessons.map(({ lessonId, request }) => ({
      id: lessonId,
      request: request.slice(0, MAX_SEARCHED_CHARS),
    })),
  );
  return search;
}

function keyOf({ kind, workspace, systemOpening }: Audience): string {
  return JSON.stringify([kind, workspace, systemOpening]);
}
