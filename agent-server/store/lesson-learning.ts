/** What the weights are asked about lessons, and what lessons are distilled on. Lessons themselves are lessons.ts. */
import { z } from 'zod';
import { TurnRow } from './codec.ts';
import type { Database } from './database.ts';
import { LessonRow, MAX_SEARCHED_LESSONS } from './lessons.ts';
import type { Store } from './store.ts';

type LessonLearningQueries = Pick<
  Store,
  | 'nextLessonCheck'
  | 'turnsWithLessons'
  | 'demonstrationsLearnt'
  | 'recordLessonCheck'
  | 'turnsToDistil'
  | 'latestDistillations'
>;

/** Answers given with lessons that are looked through for accepted ones. */
const RECENT_ANSWERS = 64;

/** In SQL what isKeptForChecks (judge/accepted-with-lessons.ts) says of a turn that was answered with lessons. */
const KEPT_FOR_CHECKS = `(t.lesson_ids <> '[]' AND substr(t.turn_id, -1) IN ('0', '2', '4', '6', '8', 'a', 'c', 'e'))`;

function lastCorrection(kind: string, workspace: string): string {
  return `SELECT max(created_at_ms) FROM lessons c WHERE c.kind = ${kind} AND c.workspace IS ${workspace}`;
}

/**
 * The newest answers given with lessons to requests of a kind and workspace since the last correction there, of these
 * those kept for checks that the user took as they were and that no version was trained on.
 */
function acceptedWithLessons(kind: string, workspace: string): string {
  return `FROM (SELECT rowid AS seq FROM turns WHERE lesson_ids <> '[]' AND subject_kind = ${kind}
      AND repository_root IS ${workspace} AND created_at_ms >= (${lastCorrection(kind, workspace)})
      ORDER BY created_at_ms DESC LIMIT ${RECENT_ANSWERS}) n
    JOIN turns t ON t.rowid = n.seq JOIN verdicts v ON v.turn_id = t.turn_id
    WHERE v.score = 1 AND t.kind = 'main' AND t.learnable = 1 AND ${KEPT_FOR_CHECKS}
      AND NOT EXISTS (SELECT 1 FROM samples s WHERE s.turn_id = t.turn_id AND s.state <> 'held')
      AND NOT EXISTS (SELECT 1 FROM batch_turns b WHERE b.turn_id = t.turn_id AND b.role = 'request')`;
}

/** Distillation looks no further back, so that its query costs the same in a large store. */
const RECENT_TURNS = 5_000;

const CountRow = z.object({ n: z.number() });
const AtRow = z.object({ at: z.number() });

export function lessonLearningQueries(db: Database): LessonLearningQueries {
  return {
    nextLessonCheck: (version, { answers, limit }) => {
      const checked = db.get(CountRow, `SELECT count(*) AS n FROM lessons WHERE checked_by = ?`, version);
      if ((checked?.n ?? 0) >= limit) return undefined;
      // Oldest first: what was taught first had the most steps to be learnt.
      return db.get(
        LessonRow,
        `SELECT * FROM lessons l WHERE state = 'active' AND checked_by IS NOT ?1
           AND lesson_id IN (SELECT lesson_id FROM lessons WHERE state = 'active' ORDER BY lesson_id DESC LIMIT ${MAX_SEARCHED_LESSONS})
           AND (SELECT count(*) FROM
                 (SELECT 1 ${acceptedWithLessons('l.kind', 'l.workspace')} LIMIT ?2)) = ?2
         ORDER BY lesson_id LIMIT 1`,
        version,
        answers,
      );
    },

    turnsWithLessons: (of, limit) =>
      db.all(
        TurnRow,
        `SELECT t.* ${acceptedWithLessons('?1', '?2')}
         ORDER BY t.created_at_ms DESC, t.rowid DESC LIMIT ?3`,
        of.kind,
        of.workspace,
        limit,
      ),

    demonstrationsLearnt: (turnId) =>
      db.get(
        CountRow,
        `SELECT count(*) AS n FROM turns o JOIN turns t ON t.subject_kind = o.subject_kind
           AND t.repository_root IS o.repository_root AND t.lesson_ids <> '[]'
           AND t.created_at_ms >= (${lastCorrection('o.subject_kind', 'o.repository_root')})
         JOIN samples s ON s.turn_id = t.turn_id
         WHERE o.turn_id = ? AND s.score = 1 AND s.state IN ('batched', 'trained')`,
        turnId,
      )?.n ?? 0,

    recordLessonCheck: (lessonId, version, outcome) => {
      db.write(['lessons'], () => {
        db.run(
          outcome === 'learnt'
            ? `UPDATE lessons SET checked_by = ?1, state = 'retired', retired_by = ?1
               WHERE lesson_id = ?2 AND state = 'active'`
            : `UPDATE lessons SET checked_by = ?1 WHERE lesson_id = ?2 AND state = 'active'`,
          version,
          lessonId,
        );
      });
    },

    turnsToDistil: (limit) =>
      db.all(
        TurnRow,
        // Chosen by their ids, so that prompts and answers are read of the chosen only.
        `SELECT t.* FROM
           (SELECT t.turn_id, t.created_at_ms, (SELECT count(*) FROM batch_turns b
              WHERE b.turn_id = t.turn_id AND b.role = 'request') AS distilled
            FROM turns t WHERE t.kind = 'main' AND t.learnable = 1 AND t.state IN ('open', 'settled')
              AND t.finish_reason = 'stop' AND t.rowid > (SELECT max(rowid) FROM turns) - ${RECENT_TURNS}
              AND NOT ${KEPT_FOR_CHECKS}
              AND NOT EXISTS (SELECT 1 FROM samples s WHERE s.turn_id = t.turn_id AND s.excluded = 1)
              AND EXISTS (SELECT 1 FROM lessons l WHERE l.state = 'active' AND l.kind = t.subject_kind
                            AND l.workspace IS t.repository_root AND l.turn_id <> t.turn_id)
            ORDER BY distilled, t.created_at_ms DESC LIMIT ?) c
         JOIN turns t ON t.turn_id = c.turn_id ORDER BY c.distilled, c.created_at_ms DESC`,
        limit,
      ),

    latestDistillations: (limit) =>
      db
        .all(
          AtRow,
          `SELECT created_at_ms AS at FROM batches WHERE kind = 'distillation' ORDER BY rowid DESC LIMIT ?`,
          limit,
        )
        .map(({ at }) => at),
  };
}
