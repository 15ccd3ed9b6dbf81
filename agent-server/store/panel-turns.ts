/**
 * Turns as the panel lists them: the newest few, and pages of those that a filter wants. A page is found by walking
 * back from where the last one ended, over a bounded number of turns, so that neither a rare word nor a million turns
 * keep the process from its other work: whoever wants more asks again from `next`. "Newest" is by the order in which
 * rows were made, not by the clock, which may jump.
 */
import { z } from 'zod';
import { TakenFor } from '../protocol/gateway.ts';
import { BatchId, TurnId, WeightVersion } from '../protocol/ids.ts';
import { type PanelTurn, SUBJECT_TITLES, TurnOutcome } from '../protocol/panel.ts';
import type { TurnFilter } from '../protocol/turns.ts';
import { SubjectKind } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

type PanelTurnQueries = Pick<Store, 'panelTurns' | 'panelTurn' | 'turnPage'>;

/** Some 20 ms of reading on a slow machine. */
const MAX_SEARCHED = 5_000;

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable();

const PanelTurnRow = z.object({
  turn_id: TurnId,
  created_at_ms: z.number(),
  kind: z.enum(['main', 'side']),
  side_reason: TakenFor.nullable(),
  subject_kind: SubjectKind,
  repository_root: z.string().nullable(),
  client: z.string().nullable(),
  answered_by: WeightVersion,
  text: z.string(),
  outcome: TurnOutcome,
  score: Score,
  decided_by: z.string().nullable(),
  hint_kind: z.enum(['rewrite', 'words']).nullable(),
  hint_text: z.string().nullable(),
  sample_state: z.enum(['ready', 'batched', 'trained', 'held']).nullable(),
  excluded: z.number().nullable(),
  batch_id: BatchId.nullable(),
  learnt_by: WeightVersion.nullable(),
  note: z.string().nullable(),
  teacher_detail: z.string().nullable(),
});
const SeqRow = PanelTurnRow.extend({ seq: z.number() });
const CountRow = z.object({ n: z.number() });
const WalkRow = z.object({ oldest: z.number().nullable(), n: z.number() });

/** A TurnOutcome of a turn t and its verdict v. */
const OUTCOME = `CASE WHEN t.kind = 'side' THEN 'side'
    WHEN t.state = 'open' AND v.decided_by IS NULL THEN 'pending'
    WHEN v.score IS NULL OR v.score = 0 THEN 'no_score'
    WHEN v.decided_by GLOB 'evidence:thumb*' THEN iif(v.score = 1, 'thumb_up', 'thumb_down')
    ELSE iif(v.score = 1, 'accepted', 'corrected') END`;

const SELECT = `SELECT t.turn_id, t.rowid AS seq, t.created_at_ms, t.kind, t.side_reason, t.subject_kind, t.repository_root,
    x.client, t.answered_by, t.text, ${OUTCOME} AS outcome, v.score, v.decided_by, h.kind AS hint_kind, h.text AS hint_text,
    s.state AS sample_state, s.excluded, s.batch_id, s.note, c.detail AS teacher_detail,
    CASE WHEN s.state = 'trained' THEN b.version END AS learnt_by
  FROM turns t JOIN sessions x USING (session_id) LEFT JOIN verdicts v USING (turn_id) LEFT JOIN hints h USING (turn_id)
    LEFT JOIN samples s ON s.rowid = (SELECT max(rowid) FROM samples l WHERE l.turn_id = t.turn_id)
    LEFT JOIN batches b ON b.batch_id = s.batch_id LEFT JOIN teacher_checks c ON c.sample_id = s.sample_id`;

export function panelTurnQueries(db: Database): PanelTurnQueries {
  return {
    panelTurns: (limit) =>
      db
        .all(
          PanelTurnRow,
          `${SELECT} WHERE t.state IN ('open', 'settled') ORDER BY t.rowid DESC LIMIT ?`,
          limit,
        )
        .map(panelTurn),

    panelTurn: (turnId) => {
      const row = db.get(
        PanelTurnRow,
        `${SELECT} WHERE t.turn_id = ? AND t.state IN ('open', 'settled')`,
        turnId,
      );
      return row && panelTurn(row);
    },

    turnPage: ({ filter, before, limit }) => {
      const from = before ?? Number.MAX_SAFE_INTEGER;
      const walk = db.get(
        WalkRow,
        `SELECT min(seq) AS oldest, count(*) AS n
         FROM (SELECT rowid AS seq FROM turns WHERE rowid < ? ORDER BY rowid DESC LIMIT ${MAX_SEARCHED})`,
        from,
      );
      const total = db.get(CountRow, `SELECT value AS n FROM counters WHERE name = 'answered'`)?.n ?? 0;
      if (walk === undefined || walk.oldest === null) return { turns: [], next: null, searched: 0, total };
      const rows = db.all(
        SeqRow,
        `${SELECT} WHERE t.rowid < ?1 AND t.rowid >= ?2 AND t.state IN ('open', 'settled') AND ${WANTED}
         ORDER BY t.rowid DESC LIMIT ?3`,
        from,
        walk.oldest,
        limit,
        ...wanted(filter),
      );
      const last = rows.at(-1);
      // A full page ends at its last turn; one that is not has seen all that was walked.
      const end = rows.length === limit && last !== undefined ? last.seq : walk.oldest;
      const more = db.get(CountRow, 'SELECT EXISTS (SELECT 1 FROM turns WHERE rowid < ?) AS n', end)?.n === 1;
      const searched =
        end === walk.oldest
          ? walk.n
          : (db.get(CountRow, 'SELECT count(*) AS n FROM turns WHERE rowid < ? AND rowid >= ?', from, end)
              ?.n ?? 0);
      return { turns: rows.map(panelTurn), next: more ? end : null, searched, total };
    },
  };
}

/** Parameters ?4 to ?10 of a filter; null wants any. LIKE knows no case of A to Z. */
const WANTED = `(?4 IS NULL OR t.text LIKE ?4 ESCAPE '\\' OR h.text LIKE ?4 ESCAPE '\\' OR t.repository_root LIKE ?4 ESCAPE '\\')
  AND (?5 IS NULL OR ${OUTCOME} = ?5) AND (?6 IS NULL OR t.subject_kind = ?6) AND (?7 IS NULL OR t.answered_by = ?7)
  AND (?8 IS NULL OR coalesce(t.side_reason, t.kind) = ?8)
  AND (?9 IS NULL OR t.created_at_ms >= ?9) AND (?10 IS NULL OR t.created_at_ms < ?10)`;

function wanted({
  text,
  outcome,
  subject,
  version,
  takenFor,
  from,
  to,
}: TurnFilter): (string | number | null)[] {
  const like = text.trim() === '' ? null : `%${text.trim().replaceAll(/[\\%_]/g, '\\$&')}%`;
  const ms = (iso: string | null): number | null => (iso === null ? null : Date.parse(iso));
  return [like, outcome, subject, version, takenFor, ms(from), ms(to)];
}

function panelTurn(row: z.infer<typeof PanelTurnRow>): PanelTurn {
  return {
    turnId: row.turn_id,
    createdAt: new Date(row.created_at_ms).toISOString(),
    subject: SUBJECT_TITLES[row.subject_kind],
    repository: row.repository_root,
    version: row.answered_by,
    proposal: row.text,
    client: row.client,
    outcome: row.outcome,
    takenFor: row.side_reason ?? row.kind,
    correction: row.hint_kind === 'rewrite' ? row.hint_text : null,
    score: row.score,
    decidedBy: row.decided_by,
    hint: row.hint_text,
    sampleState: row.sample_state ?? 'none',
    excluded: row.excluded === 1,
    batchId: row.batch_id,
    learntBy: row.learnt_by,
    notes: [row.note, row.teacher_detail].filter((note) => note !== null),
  };
}
