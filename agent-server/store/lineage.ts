/**
 * Which version descends from which, and what follows for samples when the serving pointer moves or a batch comes
 * to nothing. Used inside the transactions of rollback.ts and forgetting.ts.
 */
import { z } from 'zod';
import { WeightVersion } from '../protocol/ids.ts';
import { BatchRow, VersionRow } from './codec.ts';
import type { Database } from './database.ts';
import { followServing } from './lessons.ts';
import type { Batch, Version } from './types.ts';

const Named = z.object({ version: WeightVersion });

/** `?1` and everything that it was trained from. */
const ANCESTORS = `ancestors(version, parent) AS (
  SELECT version, parent FROM versions WHERE version = ?1
  UNION SELECT v.version, v.parent FROM versions v JOIN ancestors a ON v.version = a.parent)`;

/** New members of batches that one of `lineage` came from. */
const LEARNT = `SELECT m.sample_id FROM batch_samples m JOIN batches b USING (batch_id)
  WHERE m.origin = 'new' AND b.state = 'trained' AND b.version IN`;

/** The version, its parent, ... down to the base. */
export function lineageOf(db: Database, version: WeightVersion): Version[] {
  return db.all(
    VersionRow,
    `WITH RECURSIVE ${ANCESTORS} SELECT v.* FROM ancestors a JOIN versions v USING (version)
     ORDER BY CAST(substr(v.version, 9) AS INTEGER) DESC`,
    version,
  );
}

/** Samples learnt by the lineage are trained; those that only other versions learnt are held, with the note. */
export function followLineage(db: Database, version: WeightVersion, note: string): void {
  const learnt = `${LEARNT} (SELECT version FROM ancestors)`;
  db.run(
    `WITH RECURSIVE ${ANCESTORS} UPDATE samples SET state = 'trained', note = NULL
     WHERE state IN ('ready', 'held') AND batch_id IS NOT NULL AND sample_id IN (${learnt})`,
    version,
  );
  db.run(
    `WITH RECURSIVE ${ANCESTORS} UPDATE samples SET state = 'held', note = ?2
     WHERE state = 'trained' AND sample_id NOT IN (${learnt})`,
    version,
    note,
  );
}

/** Samples that were new in the batches of `versions` may be new again. Returns how many will be, as it stands. */
export function release(db: Database, versions: readonly WeightVersion[]): number {
  const batches = `SELECT batch_id FROM versions WHERE version IN (SELECT value FROM json_each(?1))`;
  const released = db.all(
    z.object({ left_out: z.number() }),
    `UPDATE samples SET state = 'ready', note = NULL WHERE state IN ('batched', 'trained')
       AND sample_id IN (SELECT sample_id FROM batch_samples WHERE origin = 'new' AND batch_id IN (${batches}))
     RETURNING excluded OR superseded AS left_out`,
    JSON.stringify(versions),
  );
  db.run(`UPDATE batch_samples SET undone = 1 WHERE batch_id IN (${batches})`, JSON.stringify(versions));
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
