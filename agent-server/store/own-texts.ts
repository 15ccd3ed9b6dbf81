/** Turns with the text that the user wanted instead, or as it was, where they said: what versions are compared on. */
import { z } from 'zod';
import { BatchId, WeightVersion } from '../protocol/ids.ts';
import { TurnRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

/** The newest verdicts, or turns, that are looked through; most turns of an agent get no score from its user. */
const WINDOW = 2_000;
/** An accepted answer counts as the user's own text when the user said so; programs and judges are not asked. */
export const BY_USER = ['commit', 'thumb', 'user_edit', 'patch_review']
  .map((source) => `'evidence:${source}'`)
  .join(', ');

const OwnTextRow = z
  .object({ own_text: z.string(), accepted: z.number(), trained_by: z.string() })
  .and(TurnRow);
const RequestRow = z.object({ own_text: z.string().nullable(), trained_by: z.string() }).and(TurnRow);
const Trained = z.array(z.object({ version: WeightVersion, batchId: BatchId }));

/** Of a turn t: versions whose batch had it in any role. */
const TRAINED_BY = `(SELECT json_group_array(json_object('version', b.version, 'batchId', b.batch_id)) FROM batches b
  WHERE b.state = 'trained' AND b.batch_id IN (
    SELECT m.batch_id FROM batch_samples m JOIN samples s USING (sample_id) WHERE s.turn_id = t.turn_id
    UNION SELECT batch_id FROM batch_turns WHERE turn_id = t.turn_id))`;

export function ownTextQueries(db: Database): Pick<Store, 'ownTexts' | 'recentRequests'> {
  return {
    ownTexts: (limit, { sinceMs }) =>
      db
        .all(
          OwnTextRow,
          `SELECT t.*, coalesce(h.text, t.text) AS own_text, h.text IS NULL AS accepted,
             ${TRAINED_BY} AS trained_by
           FROM (SELECT rowid AS seq, * FROM verdicts ORDER BY rowid DESC LIMIT ${WINDOW}) v
             JOIN turns t USING (turn_id)
             LEFT JOIN hints h ON h.turn_id = t.turn_id AND h.kind = 'rewrite' AND v.score = -1
           WHERE t.kind = 'main' AND t.learnable = 1 AND t.state = 'settled' AND t.finish_reason = 'stop'
             AND t.created_at_ms >= ?
             AND (h.text <> '' OR (v.score = 1 AND v.decided_by IN (${BY_USER})))
             AND NOT EXISTS (SELECT 1 FROM samples x WHERE x.turn_id = t.turn_id AND x.excluded = 1)
           ORDER BY v.seq DESC LIMIT ?`,
          sinceMs,
          limit,
        )
        .map(({ own_text, accepted, trained_by, ...turn }) => ({
          turn,
          text: own_text,
          kind: accepted === 1 ? ('accepted' as const) : ('corrected' as const),
          trainedBy: Trained.parse(JSON.parse(trained_by)),
        })),

    recentRequests: (limit) =>
      db
        .all(
          RequestRow,
          `SELECT t.*, CASE WHEN h.text <> '' THEN h.text
               WHEN v.score = 1 AND v.decided_by IN (${BY_USER}) THEN t.text END AS own_text, ${TRAINED_BY} AS trained_by
           FROM turns t LEFT JOIN verdicts v USING (turn_id)
             LEFT JOIN hints h ON h.turn_id = t.turn_id AND h.kind = 'rewrite' AND v.score = -1
           WHERE t.rowid > (SELECT max(rowid) FROM turns) - ${WINDOW} AND t.kind = 'main' AND t.state IN ('open', 'settled')
           ORDER BY t.rowid DESC LIMIT ?`,
          limit,
        )
        .map(({ own_text, trained_by, ...turn }) => ({
          turn,
          wanted: own_text,
          trainedBy: Trained.parse(JSON.parse(trained_by)),
        })),
  };
}
