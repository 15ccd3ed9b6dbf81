/**
 * What the panel shows, read in the user's terms. Reads only, and never more than a bounded number of rows: a
 * snapshot costs the same over a million turns. "Newest" is by the order in which rows were made, not by the
 * clock, which may jump.
 */
import { z } from 'zod';
import { TurnId, WeightVersion } from '../protocol/ids.ts';
import { GateFigures } from '../protocol/promotion.ts';
import { json } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';
import { VersionRow } from './version-rows.ts';

type PanelQueries = Pick<Store, 'queueLengths' | 'doneCounts' | 'panelVersions' | 'curve'>;

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable();

/** The newest verdicts among which the curve looks for scores; most of them may have none. */
const CURVE_WINDOW = 5_000;

const DoneRow = z.object({
  serve: z.number(),
  environment: z.number(),
  judge: z.number(),
  train: z.number(),
});
const PanelVersionRow = z
  .object({
    sample_count: z.number(),
    request_count: z.number(),
    reason: z.string().nullable(),
    figures: json(GateFigures).nullable(),
  })
  .and(VersionRow);
const CurveRow = z.object({
  turn_id: TurnId,
  created_at_ms: z.number(),
  answered_by: WeightVersion,
  score: Score,
});
const QueueRow = z.object({
  observations: z.number(),
  judge: z.number(),
  samplesReady: z.number(),
  samplesInBatch: z.number(),
});

export function panelQueries(db: Database): PanelQueries {
  return {
    queueLengths: (nowMs) =>
      db.get(
        QueueRow,
        `SELECT (SELECT value FROM counters WHERE name = 'queued') AS observations,
           (SELECT count(*) FROM judge_queue WHERE stage IN ('evidence', 'votes') AND due_at_ms <= ?) AS judge,
           (SELECT count(*) FROM samples WHERE state = 'ready' AND superseded = 0 AND excluded = 0) AS samplesReady,
           (SELECT count(*) FROM samples WHERE state = 'batched') AS samplesInBatch`,
        nowMs,
      ) ?? { observations: 0, judge: 0, samplesReady: 0, samplesInBatch: 0 },

    doneCounts: () =>
      db.get(
        DoneRow,
        `SELECT (SELECT value FROM counters WHERE name = 'served') AS serve,
           (SELECT value FROM counters WHERE name = 'placed') AS environment,
           (SELECT value FROM counters WHERE name = 'judged') AS judge,
           (SELECT value FROM counters WHERE name = 'trained') AS train`,
      ) ?? { serve: 0, environment: 0, judge: 0, train: 0 },

    panelVersions: (limit) =>
      db
        .all(
          PanelVersionRow,
          `SELECT v.*, (SELECT count(*) FROM batch_samples m WHERE m.batch_id = v.batch_id) AS sample_count,
             (SELECT count(*) FROM batch_turns r WHERE r.batch_id = v.batch_id AND r.role = 'request') AS request_count,
             p.reason, (SELECT figures FROM promotions g WHERE g.version = v.version AND g.figures IS NOT NULL
                        ORDER BY g.promotion_id DESC LIMIT 1) AS figures
           FROM versions v LEFT JOIN promotions p ON p.promotion_id =
             (SELECT max(promotion_id) FROM promotions l WHERE l.version = v.version)
           ORDER BY v.rowid DESC LIMIT ?`,
          limit,
        )
        .map((row) => ({
          version: row.version,
          parent: row.parent,
          state: row.state,
          batchId: row.batchId,
          createdAt: iso(row.createdAtMs),
          servedAt: row.servedAtMs === null ? null : iso(row.servedAtMs),
          sampleCount: row.sample_count,
          requestCount: row.request_count,
          metrics: row.metrics,
          reason: row.reason,
          figures: row.figures,
          tainted: row.tainted,
          kept: row.folder !== null || row.parent === null,
        })),

    curve: (limit) =>
      db
        .all(
          CurveRow,
          `SELECT t.turn_id, t.created_at_ms, t.answered_by, v.score
           FROM (SELECT rowid AS seq, turn_id, score FROM verdicts ORDER BY rowid DESC LIMIT ?) v
             JOIN turns t USING (turn_id)
           WHERE v.score IN (1, -1) AND t.kind = 'main' AND t.learnable = 1
           ORDER BY v.seq DESC LIMIT ?`,
          CURVE_WINDOW,
          limit,
        )
        .reverse()
        .map((row) => ({
          turnId: row.turn_id,
          at: iso(row.created_at_ms),
          version: row.answered_by,
          accepted: row.score === 1,
        })),
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
