/** The judge loop's queries: its queue, next states, verdicts, and the samples they make. */
import { z } from 'zod';
import { TurnId } from '../protocol/ids.ts';
import { EvidenceRow, HintCandidateRow, HintRow, NextStateRow, SampleRow, VerdictRow } from './codec.ts';
import type { Database } from './database.ts';
import { followVerdict } from './lessons.ts';
import type { Store } from './store.ts';
import type { HintCandidate, Sample, Verdict } from './types.ts';

type JudgementQueries = Pick<
  Store,
  | 'dueTurns'
  | 'nextJudgeDueMs'
  | 'nextStates'
  | 'sessionNextStates'
  | 'verdict'
  | 'sampleOfTurn'
  | 'recordVerdict'
  | 'hintCandidates'
  | 'sample'
>;

const DueRow = z.object({ turn_id: TurnId, reason: z.string() });
const NextDueRow = z.object({ due: z.number().nullable() });
const ExcludedRow = z.object({ excluded: z.number() });

export function judgementQueries(db: Database): JudgementQueries {
  return {
    dueTurns: (nowMs, limit) =>
      db
        .all(
          DueRow,
          `SELECT turn_id, reason FROM judge_queue WHERE stage = 'evidence' AND due_at_ms <= ?
           ORDER BY due_at_ms, rowid LIMIT ?`,
          nowMs,
          limit,
        )
        .map((row) => ({ turnId: row.turn_id, reason: row.reason })),

    nextJudgeDueMs: () =>
      db.get(NextDueRow, `SELECT min(due_at_ms) AS due FROM judge_queue WHERE stage = 'evidence'`)?.due ??
      undefined,

    nextStates: (turnId) =>
      db.all(
        NextStateRow,
        `SELECT n.turn_id, n.observation_id, n.kind, n.observed_at_ms, o.body
         FROM next_states n JOIN observations o USING (observation_id) WHERE n.turn_id = ? ORDER BY n.next_state_id`,
        turnId,
      ),

    sessionNextStates: (turnId, turns) =>
      db.all(
        NextStateRow,
        `SELECT n.turn_id, n.observation_id, n.kind, n.observed_at_ms, o.body
         FROM (SELECT s.turn_id FROM turns t JOIN turns s ON s.session_id = t.session_id AND s.created_at_ms <= t.created_at_ms
               WHERE t.turn_id = ? ORDER BY s.created_at_ms DESC, s.rowid DESC LIMIT ?) recent
           JOIN next_states n USING (turn_id) JOIN observations o USING (observation_id)
         ORDER BY n.next_state_id`,
        turnId,
        turns,
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
        'SELECT * FROM samples WHERE turn_id = ? ORDER BY superseded, created_at_ms DESC, rowid DESC LIMIT 1',
        turnId,
      ),

    sample: (sampleId) => db.get(SampleRow, 'SELECT * FROM samples WHERE sample_id = ?', sampleId),

    hintCandidates: (turnId) =>
      db.all(
        HintCandidateRow,
        'SELECT kind, source, text FROM hint_candidates WHERE turn_id = ? ORDER BY position',
        turnId,
      ),

    recordVerdict: (verdict, sample, hints = []) =>
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
        replaceEvidence(db, verdict);
        replaceHints(db, verdict, hints);
        db.run(`UPDATE turns SET state = 'settled' WHERE turn_id = ? AND state = 'open'`, turnId);
        db.run('DELETE FROM judge_queue WHERE turn_id = ?', turnId);
        replaceSample(db, verdict, sample);
        followVerdict(db, verdict, hints);
      }),
  };
}

function replaceEvidence(db: Database, { turnId, evidence }: Verdict): void {
  db.run('DELETE FROM evidence WHERE turn_id = ?', turnId);
  for (const item of evidence) {
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
}

function replaceHints(db: Database, { turnId, hint }: Verdict, candidates: readonly HintCandidate[]): void {
  db.run('DELETE FROM hints WHERE turn_id = ?', turnId);
  if (hint !== null) {
    db.run('INSERT INTO hints(turn_id, kind, text) VALUES (?, ?, ?)', turnId, hint.kind, hint.text);
  }
  db.run('DELETE FROM hint_candidates WHERE turn_id = ?', turnId);
  for (const [position, { kind, source, text }] of candidates.entries()) {
    db.run(
      'INSERT INTO hint_candidates(turn_id, position, kind, source, text) VALUES (?, ?, ?, ?, ?)',
      turnId,
      position,
      kind,
      source,
      text,
    );
  }
}

/**
 * The turn's samples after a verdict. One that is or was in a batch keeps its batch_id and stays; it counts as
 * long as the verdict says what it says. What the user excluded stays excluded, also in its next form.
 */
function replaceSample(db: Database, verdict: Verdict, sample: Sample | null): void {
  const { turnId } = verdict;
  const excluded = db.get(
    ExcludedRow,
    'SELECT coalesce(max(excluded), 0) AS excluded FROM samples WHERE turn_id = ?',
    turnId,
  );
  db.run(`DELETE FROM samples WHERE turn_id = ? AND state IN ('ready', 'held') AND batch_id IS NULL`, turnId);
  const kept = db.all(SampleRow, 'SELECT * FROM samples WHERE turn_id = ? ORDER BY rowid', turnId);
  const same = sample === null ? undefined : kept.find((one) => saysTheSame(one, sample));
  db.run(
    'UPDATE samples SET superseded = (sample_id IS NOT ?) WHERE turn_id = ?',
    same?.sampleId ?? null,
    turnId,
  );
  if (sample === null || same !== undefined) return;
  const last = kept.at(-1);
  db.run(
    `INSERT INTO samples(sample_id, turn_id, score, hint_kind, hint_text, state, created_at_ms, note, excluded)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    sample.sampleId,
    turnId,
    sample.score,
    sample.hint?.kind ?? null,
    sample.hint?.text ?? null,
    sample.state,
    sample.createdAtMs,
    last === undefined
      ? sample.note
      : [
          `${verdict.decidedBy} came after sample ${last.sampleId} was in a batch, and takes its place.`,
          sample.note,
        ]
          .filter((sentence) => sentence !== null)
          .join(' '),
    excluded?.excluded ?? 0,
  );
}

function saysTheSame(one: Sample, other: Sample): boolean {
  return (
    one.score === other.score && one.hint?.kind === other.hint?.kind && one.hint?.text === other.hint?.text
  );
}
