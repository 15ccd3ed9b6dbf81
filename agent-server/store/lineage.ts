/**
 * Which version descends from which, and what follows for samples when the serving pointer moves or a batch comes
 * to nothing. Used inside the transactions of rollback.ts and forgetting.ts.
 */
import { z } from 'zod';
import { WeightVersion } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import { followServing } from './lessons.ts';
import { BatchRow } from './version-rows.ts';
import type { Batch } from './version-types.ts';

const Named = z.object({ version: WeightVersion });

/** Samples that were new in the batches of the versions in `?1`, a JSON array. */
const NEW_IN = `(SELECT m.sample_id FROM versions v JOIN batch_samples m USING (batch_id)
  WHERE v.version IN (SELECT value FROM json_each(?1)) AND m.origin = 'new')`;

/** Of a version, what its place in a lineage is about: thousands of them are read at once. */
const LineageRow = z.object({
  version: WeightVersion,
  state: z.enum(['training', 'trained', 'serving', 'retired', 'failed']),
  tainted: z.enum(['deleted', 'excluded']).nullable(),
  /** Are its weights to be had? The base needs none. */
  kept: z.number().transform((kept) => kept === 1),
});
export type LineageEntry = z.infer<typeof LineageRow>;

/** The version, its parent, ... down to the base. */
export function lineageOf(db: Database, version: WeightVersion): LineageEntry[] {
  return db.all(
    LineageRow,
    `WITH RECURSIVE ancestors(version, parent, depth) AS (
       SELECT version, parent, 0 FROM versions WHERE version = ?
       UNION ALL SELECT v.version, v.parent, a.depth + 1 FROM versions v JOIN ancestors a ON v.version = a.parent)
     SELECT v.version, v.state, v.tainted, (v.folder IS NOT NULL OR v.parent IS NULL) AS kept FROM ancestors a JOIN versions v USING (version) ORDER BY a.depth`,
    version,
  );
}

/**
 * Samples that only `to`'s lineage has learnt are trained; those that only `from`'s has are held, with the note. Looks
 * at no other samples: their number is that of the versions in between, not of all that was ever learnt.
 */
export function followLineage(db: Database, from: WeightVersion, to: WeightVersion, note: string): void {
  const names = (version: WeightVersion) => lineageOf(db, version).map((one) => one.version);
  const [before, after] = [names(from), names(to)];
  const left = JSON.stringify(before.filter((version) => !after.includes(version)));
  const entered = JSON.stringify(after.filter((version) => !before.includes(version)));
  db.run(
    `UPDATE samples SET state = 'held', note = ?2 WHERE +state = 'trained' AND sample_id IN ${NEW_IN}
       AND NOT EXISTS (SELECT 1 FROM batch_samples m JOIN batches b USING (batch_id)
         WHERE m.sample_id = samples.sample_id AND m.origin = 'new' AND b.state = 'trained'
           AND b.version IN (SELECT value FROM json_each(?3)))`,
    left,
    note,
    JSON.stringify(after),
  );
  db.run(
    `UPDATE samples SET state = 'trained', note = NULL WHERE +state IN ('ready', 'held') AND sample_id IN ${NEW_IN}`,
    entered,
  );
}

/** Samples that were new in the batches of `versions` may be new again. Returns how many will be, as it stands. */
export function release(db: Database, versions: readonly WeightVersion[]): number {
  const given = JSON.stringify(versions);
  const released = db.all(
    z.object({ left_out: z.number() }),
    `UPDATE samples SET state = 'ready', note = NULL
     WHERE +state IN ('batched', 'trained') AND sample_id IN ${NEW_IN} RETURNING excluded OR superseded AS left_out`,
    given,
  );
  db.run(
    `UPDATE batch_samples SET undone = 1 WHERE batch_id IN
       (SELECT batch_id FROM versions WHERE version IN (SELECT value FROM json_each(?1)))`,
    given,
  );
  return released.filter(({ left_out }) => left_out === 0).length;
}

/** Gives up what is not yet decided: the open batch and a trained version. Their samples are ready again. */
export function abandonUndecided(db: Database, reason: string, atMs: number): void {
  abandonOpenBatch(db, reason);
  const undecided = db.all(Named, `SELECT version FROM versions WHERE state = 'trained'`);
  release(
    db,
    undecided.map(({ version }) => version),
  );
  for (const { version } of undecided) {
    db.run(`UPDATE versions SET state = 'failed' WHERE version = ?`, version);
    decide(db, version, 0, reason, atMs, null);
  }
}

export function openBatchOf(db: Database): Batch | undefined {
  return db.get(BatchRow, `SELECT * FROM batches WHERE state IN ('building', 'submitted')`);
}

export function abandonOpenBatch(db: Database, reason: string): void {
  const batch = openBatchOf(db);
  if (batch === undefined) return;
  db.run(`UPDATE batches SET state = 'failed', error = ? WHERE batch_id = ?`, reason, batch.batchId);
  release(db, [batch.version]);
  db.run(`UPDATE versions SET state = 'failed' WHERE version = ?`, batch.version);
}

/** Writes a decision down. `figures`: their JSON. */
export function decide(
  db: Database,
  version: WeightVersion,
  promoted: 0 | 1,
  reason: string,
  atMs: number,
  figures: string | null,
): void {
  db.run(
    'INSERT INTO promotions(version, decided_at_ms, promoted, reason, figures) VALUES (?, ?, ?, ?, ?)',
    version,
    atMs,
    promoted,
    reason,
    figures,
  );
}

/** Moves the pointer; the version that served takes the state `retiring`. */
export function serve(
  db: Database,
  version: WeightVersion,
  retiring: 'retired' | 'failed',
  atMs: number,
): void {
  db.run(`UPDATE versions SET state = ? WHERE state = 'serving'`, retiring);
  db.run(`UPDATE versions SET state = 'serving', served_at_ms = ? WHERE version = ?`, atMs, version);
  followServing(db, version);
}
