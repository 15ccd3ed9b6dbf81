/** The judge loop's queries: its queue, next states, verdicts, and the samples they make. */
import { z } from 'zod';
import { TurnId } from '../protocol/ids.ts';
import { EvidenceRow, HintRow, NextStateRow, SampleRow, VerdictRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

type JudgementQueries = Pick<
  Store,
  'dueTurns' | 'nextJudgeDueMs' | 'nextStates' | 'verdict' | 'sampleOfTurn' | 'recordVerdict' | 'sample'
>;

export function judgementQueries(db: Database): JudgementQueries {
  return {
    dueTurns: (nowMs, limit) =>
      db
        .all(
          z.object({ turn_id: TurnId, reason: z.string() }),
          'SELECT turn_id, reason FROM judge_queue WHERE due_at_ms <= ? ORDER BY due_at_ms, rowid LIMIT ?',
          nowMs,
          limit,
        )
        .map((row) => ({ turnId: row.turn_id, reason: row.reason })),

    nextJudgeDueMs: () =>
      db.get(z.object({ due: z.number().nullable() }), 'SELECT min(due_at_ms) AS due FROM judge_queue')
        ?.due ?? undefined,

    nextStates: (turnId) =>
      db.all(
        NextStateRow,
        `SELECT n.turn_id, n.observation_id, n.kind, n.observed_at_ms, o.body
         FROM next_states n JOIN observations o USING (observation_id) WHERE n.turn_id = ? ORDER BY n.next_state_id`,
        turnId,
      ),

    verdict: (turnId) => {
      const row = db.get(VerdictRow, 'SELECT * FROM verdicts WHERE turn_id = ?', turnId);
      if (row === undefined) return undefined;
      return {
        turnId,
        score: row.score,
        decidedBy: row.decided_by,
        decidedAtMs: row.decided_at_ms,
        evidence: db.all(
          EvidenceRow,
          'SELECT * FROM evidence WHERE turn_id = ? ORDER BY evidence_id',
          turnId,
        ),
        hint: db.get(HintRow, 'SELECT kind, text FROM hints WHERE turn_id = ?', turnId) ?? null,
      };
    },

    sampleOfTurn: (turnId) =>
      db.get(
        SampleRow,
        'SELECT * FROM samples WHERE turn_id = ? ORDER BY created_at_ms DESC, rowid DESC LIMIT 1',
        turnId,
      ),

    sample: (sampleId) => db.get(SampleRow, 'SELECT * FROM samples WHERE sample_id = ?', sampleId),

    recordVerdict: (verdict, sample) =>
      db.write(['judge', 'turns', 'samples'], () => {
        const { turnId } = verdict;
        db.run(
          `INSERT INTO verdicts(turn_id, score, decided_by, decided_at_ms) VALUES (?, ?, ?, ?)
           ON CONFLICT(turn_id) DO UPDATE SET score = excluded.score, decided_by = excluded.decided_by,
             decided_at_ms = excluded.decided_at_ms`,
          turnId,
          verdict.score,
          verdict.decidedBy,
          verdict.decidedAtMs,
        );
        db.run('DELETE FROM evidence WHERE turn_id = ?', turnId);
        for (const item of verdict.evidence) {
          db.run(
            `INSERT INTO evidence(turn_id, source, observation_id, score, rank, detail) VALUES (?, ?, ?, ?, ?, ?)`,
            turnId,
            item.source,
            item.observationId,
            item.score,
            item.rank,
            item.detail,
          );
        }
        db.run('DELETE FROM hints WHERE turn_id = ?', turnId);
        if (verdict.hint !== null) {
          db.run(
            'INSERT INTO hints(turn_id, kind, text) VALUES (?, ?, ?)',
            turnId,
            verdict.hint.kind,
            verdict.hint.text,
          );
        }
        db.run(`UPDATE turns SET state = 'settled' WHERE turn_id = ? AND state = 'open'`, turnId);
        db.run('DELETE FROM judge_queue WHERE turn_id = ?', turnId);
        // A sample that failed with its batch keeps its batch_id and is not made ready again by a later thumb.
        const replaceable = `turn_id = ? AND state IN ('ready', 'held') AND batch_id IS NULL`;
        db.run(`DELETE FROM samples WHERE ${replaceable}`, turnId);
        const trained = db.get(SampleRow, 'SELECT * FROM samples WHERE turn_id = ?', turnId);
        if (sample !== null && trained === undefined) {
          db.run(
            `INSERT INTO samples(sample_id, turn_id, score, hint_kind, hint_text, state, created_at_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            sample.sampleId,
            turnId,
            sample.score,
            sample.hint?.kind ?? null,
            sample.hint?.text ?? null,
            sample.state,
            sample.createdAtMs,
          );
        }
      }),
  };
}
