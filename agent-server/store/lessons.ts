/**
 * Queries about lessons: made of a verdict in the verdict's own transaction, changed by the user, retired when the
 * weights do without. Which of them stand in a prompt is hindsight/'s.
 */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage } from '../protocol/gateway.ts';
import { LessonId, TurnId, WeightVersion } from '../protocol/ids.ts';
import { repositoryOf } from '../protocol/observations.ts';
import { MAX_LESSON_CHARS } from '../protocol/panel.ts';
import { SubjectKind, TurnRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Lesson } from './lesson-types.ts';
import type { Store } from './store.ts';
import type { HintCandidate, Verdict } from './types.ts';

type LessonQueries = Pick<
  Store,
  | 'lesson'
  | 'lessons'
  | 'activeLessons'
  | 'lessonsOfSession'
  | 'lessonsMadeIn'
  | 'updateLesson'
  | 'deleteLesson'
>;

const LessonIds = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.array(LessonId));

export const LessonRow = z
  .object({
    lesson_id: LessonId,
    turn_id: TurnId,
    kind: SubjectKind,
    workspace: z.string().nullable(),
    system_opening: z.string(),
    request: z.string(),
    rewrite: z.string(),
    hint: z.string().nullable(),
    state: z.enum(['active', 'off', 'retired']),
    edited: z.number(),
    created_at_ms: z.number(),
    retired_by: WeightVersion.nullable(),
  })
  .transform(
    (row): Lesson => ({
      lessonId: row.lesson_id,
      turnId: row.turn_id,
      kind: row.kind,
      workspace: row.workspace,
      systemOpening: row.system_opening,
      request: row.request,
      rewrite: row.rewrite,
      hint: row.hint,
      state: row.state,
      edited: row.edited === 1,
      createdAtMs: row.created_at_ms,
      retiredBy: row.retired_by,
    }),
  );

/** Lessons that are searched for a request; older ones wait until some of these retire. */
export const MAX_SEARCHED_LESSONS = 500;
/** An agent's instructions begin with what it is; what changes from day to day (date, folder) comes later. */
const OPENING_CHARS = 200;

/** The beginning of a conversation's leading system message; '' without one. */
export function systemOpening(messages: readonly PlainMessage[]): string {
  const [first] = messages;
  return first?.role === 'system' ? first.content.slice(0, OPENING_CHARS) : '';
}

const LessonIdRow = z.object({ lesson_id: LessonId });
const LessonIdsRow = z.object({ lesson_ids: LessonIds });

export function lessonQueries(db: Database): LessonQueries {
  const lesson = (lessonId: LessonId): Lesson | undefined =>
    db.get(LessonRow, `SELECT * FROM lessons WHERE lesson_id = ? AND state <> 'deleted'`, lessonId);
  const required = (lessonId: LessonId): Lesson => {
    const found = lesson(lessonId);
    if (found !== undefined) return found;
    throw new ApprenticeError('not_found', `There is no lesson ${lessonId}.`, 'Read the list again.');
  };

  return {
    lesson,

    lessons: (limit) =>
      db.all(
        LessonRow,
        `SELECT * FROM lessons WHERE state <> 'deleted' ORDER BY lesson_id DESC LIMIT ?`,
        limit,
      ),

    activeLessons: (limit) =>
      db.all(
        LessonRow,
        `SELECT * FROM lessons WHERE state = 'active' ORDER BY lesson_id DESC LIMIT ?`,
        limit,
      ),

    lessonsOfSession: (sessionId) =>
      db.get(
        LessonIdsRow,
        `SELECT lesson_ids FROM turns WHERE session_id = ? AND lesson_ids <> '[]'
         ORDER BY created_at_ms DESC, rowid DESC LIMIT 1`,
        sessionId,
      )?.lesson_ids ?? [],

    lessonsMadeIn: (sessionId, limit) =>
      db
        .all(
          LessonIdRow,
          `SELECT l.lesson_id FROM turns t JOIN lessons l ON l.turn_id = t.turn_id
           WHERE t.session_id = ? AND l.state = 'active' ORDER BY l.lesson_id DESC LIMIT ?`,
          sessionId,
          limit,
        )
        .map((row) => row.lesson_id),

    updateLesson: (lessonId, change) =>
      db.write(['lessons'], () => {
        const before = required(lessonId);
        const rewrite = change.rewrite ?? before.rewrite;
        const hint = change.hint === undefined ? before.hint : change.hint || null;
        if (rewrite.trim() === '' && hint === null)
          throw new ApprenticeError(
            'invalid_request',
            `Lesson ${lessonId} would have no text.`,
            'Delete it, or give it a rewrite or a hint.',
          );
        const reworded = rewrite !== before.rewrite || hint !== before.hint;
        // The weights learnt the old words, not the new ones.
        const state = change.state ?? (reworded && before.state === 'retired' ? 'active' : before.state);
        db.run(
          `UPDATE lessons SET rewrite = ?, hint = ?, state = ?, edited = max(edited, ?),
             retired_by = CASE WHEN ? = 'retired' THEN retired_by END,
             checked_by = CASE WHEN ? THEN NULL ELSE checked_by END WHERE lesson_id = ?`,
          rewrite,
          hint,
          state,
          reworded ? 1 : 0,
          state,
          reworded || state !== before.state ? 1 : 0,
          lessonId,
        );
        return required(lessonId);
      }),

    deleteLesson: (lessonId) => {
      db.write(['lessons'], () => {
        required(lessonId);
        db.run(
          `UPDATE lessons SET state = 'deleted', request = '', rewrite = '', hint = NULL, retired_by = NULL
           WHERE lesson_id = ?`,
          lessonId,
        );
      });
    },
  };
}

/**
 * The lesson of a turn follows its verdict: made, given the new words, or taken away with the correction. The text is
 * the user's rewrite and what they said of the answer; what a program or a judge said is about one fault of it and
 * teaches nothing for the next request. A lesson that the user worded or deleted stays as they left it. To be called
 * inside the transaction that records the verdict.
 */
export function followVerdict(db: Database, verdict: Verdict, hints: readonly HintCandidate[]): void {
  db.write(['lessons'], () => (lessonFollows(db, verdict, hints) ? true : null));
}

/**
 * The serving pointer moved: a lesson that is retired by a version which the serving one does not descend from acts
 * again, as the weights that had learnt it serve no more. To be called inside the transaction that moves it.
 */
export function followServing(db: Database, serving: WeightVersion): void {
  db.write(['lessons'], () => {
    const changed = db.run(
      `WITH RECURSIVE line(version, parent) AS (
         SELECT version, parent FROM versions WHERE version = ?
         UNION SELECT v.version, v.parent FROM versions v JOIN line l ON v.version = l.parent)
       UPDATE lessons SET state = 'active', retired_by = NULL, checked_by = NULL
       WHERE state = 'retired' AND retired_by NOT IN (SELECT version FROM line)`,
      serving,
    );
    return changed > 0 ? true : null;
  });
}

/** What the user excludes from learning teaches in no prompt either, until they switch it on again. */
export function switchOffLesson(db: Database, turnId: TurnId): void {
  db.write(['lessons'], () =>
    db.run(`UPDATE lessons SET state = 'off' WHERE turn_id = ? AND state = 'active'`, turnId) > 0
      ? true
      : null,
  );
}

/** Returns whether a lesson changed. */
function lessonFollows(db: Database, verdict: Verdict, hints: readonly HintCandidate[]): boolean {
  const { turnId, hint } = verdict;
  const turn = db.get(TurnRow, 'SELECT * FROM turns WHERE turn_id = ?', turnId);
  // What should have been answered to a tool's result hangs on that result, and is no answer to the user's request.
  const rewrite = hint?.kind === 'rewrite' && turn?.messages.at(-1)?.role !== 'tool' ? hint.text : '';
  const said = hint === null ? undefined : hints.find(({ source }) => source === 'review')?.text;
  if ((rewrite === '' && said === undefined) || rewrite.length > MAX_LESSON_CHARS)
    return db.run(`DELETE FROM lessons WHERE turn_id = ? AND edited = 0 AND state <> 'deleted'`, turnId) > 0;
  // What the user had asked, cut at its end.
  const request = turn?.messages.findLast(({ role }) => role === 'user')?.content.slice(0, MAX_LESSON_CHARS);
  if (turn === undefined || request === undefined || turn.kind !== 'main' || !turn.learnable) return false;
  const changed = db.run(
    `INSERT INTO lessons(turn_id, kind, workspace, system_opening, request, rewrite, hint, state, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'active', ?)
     ON CONFLICT(turn_id) DO UPDATE SET rewrite = excluded.rewrite, hint = excluded.hint, checked_by = NULL,
       retired_by = NULL, state = CASE state WHEN 'retired' THEN 'active' ELSE state END
     WHERE edited = 0 AND state <> 'deleted' AND (rewrite, hint) IS NOT (excluded.rewrite, excluded.hint)`,
    turnId,
    turn.subject.kind,
    repositoryOf(turn.subject),
    systemOpening(turn.messages),
    request,
    rewrite,
    said ?? null,
    verdict.decidedAtMs,
  );
  if (changed > 0) bringBack(db, turnId);
  return changed > 0;
}

/** What the user corrects again the weights had not learnt: what retired of its kind acts again. */
function bringBack(db: Database, turnId: TurnId): void {
  db.run(
    `UPDATE lessons SET state = 'active', retired_by = NULL, checked_by = NULL
     WHERE state = 'retired' AND (kind, workspace, system_opening) IS
       (SELECT kind, workspace, system_opening FROM lessons WHERE turn_id = ?)`,
    turnId,
  );
}
