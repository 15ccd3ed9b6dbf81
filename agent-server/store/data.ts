/** Counting what there is, walking through all of it for an export, and the curve by week and version. */
import { z } from 'zod';
import { AnswerGroup } from '../protocol/data.ts';
import { SessionId, TurnId, WeightVersion } from '../protocol/ids.ts';
import { TurnRow } from './codec.ts';
import type { Database } from './database.ts';
import { BY_USER } from './own-texts.ts';
import type { Store } from './store.ts';

type DataQueries = Pick<
  Store,
  'storedCounts' | 'sessionsAfter' | 'turnsOfSession' | 'answerGroups' | 'wantedTexts'
>;

/** Beyond that the rest of two texts says little of how alike they are. */
const COMPARED_CHARS = 1_000;

const Counts = z.object({
  sessions: z.number(),
  turns: z.number(),
  nextStates: z.number(),
  verdicts: z.number(),
  samples: z.number(),
  lessons: z.number(),
  versions: z.number(),
});
const SessionRow = z
  .object({ seq: z.number(), session_id: SessionId })
  .transform(({ seq, session_id }) => ({ seq, sessionId: session_id }));
const GroupRow = AnswerGroup.omit({ likened: true, likeness: true });
const WantedRow = z.object({
  turn_id: TurnId,
  week: z.string(),
  version: WeightVersion,
  answer: z.string(),
  wanted: z.string().nullable(),
});
/** The Monday of a turn t's week. */
const WEEK = `date(t.created_at_ms / 1000, 'unixepoch', '-6 days', 'weekday 1')`;

export function dataQueries(db: Database): DataQueries {
  return {
    storedCounts: () =>
      db.get(
        Counts,
        `SELECT (SELECT count(*) FROM sessions) AS sessions,
           (SELECT value FROM counters WHERE name = 'answered') AS turns,
           (SELECT count(*) FROM next_states) AS nextStates, (SELECT count(*) FROM verdicts) AS verdicts,
           (SELECT count(*) FROM samples) AS samples,
           (SELECT count(*) FROM lessons WHERE state <> 'deleted') AS lessons,
           (SELECT count(*) FROM versions WHERE parent IS NOT NULL) AS versions`,
      ) ?? { sessions: 0, turns: 0, nextStates: 0, verdicts: 0, samples: 0, lessons: 0, versions: 0 },

    sessionsAfter: (seq, limit) =>
      db.all(
        SessionRow,
        'SELECT rowid AS seq, session_id FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?',
        seq,
        limit,
      ),

    turnsOfSession: (sessionId, after, limit) =>
      db.all(
        TurnRow,
        `SELECT * FROM turns WHERE session_id = ?1 AND state IN ('open', 'settled')
           AND (created_at_ms, rowid) > (?2, (SELECT coalesce(max(rowid), 0) FROM turns WHERE turn_id = ?3))
         ORDER BY created_at_ms, rowid LIMIT ?4`,
        sessionId,
        after?.createdAtMs ?? -1,
        after?.turnId ?? '',
        limit,
      ),

    answerGroups: (limit) =>
      db.all(
        GroupRow,
        `SELECT week, version, count(*) AS answers, sum(score = 1) AS accepted, sum(corrections) AS corrections,
           count(survival) AS edits, coalesce(sum(survival), 0.0) AS survival
         FROM (SELECT t.answered_by AS version, v.score,
             ${WEEK} AS week,
             (SELECT count(*) FROM evidence e WHERE e.turn_id = v.turn_id AND e.score = -1
                AND e.source IN ('commit', 'user_edit', 'patch_review', 'git', 'thumb')) AS corrections,
             (SELECT o.body ->> '$.survival' FROM next_states n JOIN observations o USING (observation_id)
              WHERE n.turn_id = v.turn_id AND n.kind = 'user_edit' AND o.body ->> '$.survival' IS NOT NULL
              ORDER BY n.next_state_id DESC LIMIT 1) AS survival
           FROM (SELECT turn_id, score FROM verdicts ORDER BY rowid DESC LIMIT ?) v JOIN turns t USING (turn_id)
           WHERE v.score IN (1, -1) AND t.kind = 'main' AND t.learnable = 1)
         GROUP BY week, version ORDER BY week, version`,
        limit,
      ),

    wantedTexts: (limit) =>
      db
        .all(
          WantedRow,
          `SELECT t.turn_id, ${WEEK} AS week, t.answered_by AS version, substr(t.text, 1, ${COMPARED_CHARS}) AS answer,
             substr(h.text, 1, ${COMPARED_CHARS}) AS wanted
           FROM (SELECT turn_id, score, decided_by FROM verdicts ORDER BY rowid DESC LIMIT ?) v JOIN turns t USING (turn_id)
             LEFT JOIN hints h ON h.turn_id = t.turn_id AND h.kind = 'rewrite' AND v.score = -1
           WHERE v.score IN (1, -1) AND t.kind = 'main' AND t.learnable = 1
             AND (h.text <> '' OR (v.score = 1 AND v.decided_by IN (${BY_USER})))`,
          limit,
        )
        .map(({ turn_id, week, version, answer, wanted }) => ({
          turnId: turn_id,
          week,
          version,
          texts: wanted === null ? null : { answer, wanted },
        })),
  };
}
