/** The train loop's queries: samples into batches, batches into versions. A sample is new in one batch only. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import { type BatchId, SampleId, TurnId } from '../protocol/ids.ts';
import { SampleRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';
import { keepAdvantages } from './token-advantages.ts';
import { BatchRow } from './version-rows.ts';
import type { Batch } from './version-types.ts';

type BatchQueries = Pick<
  Store,
  | 'readySamples'
  | 'replaySamples'
  | 'holdSample'
  | 'beginBatch'
  | 'setManifest'
  | 'submitBatch'
  | 'openBatch'
  | 'batch'
  | 'batchSamples'
  | 'batchTurns'
  | 'completeBatch'
  | 'failBatch'
>;

const MemberRow = z.object({ sample_id: SampleId, origin: z.enum(['new', 'replay']) });
const BatchTurnRow = z.object({ turn_id: TurnId, role: z.enum(['request', 'lesson']) });

export function batchQueries(db: Database): BatchQueries {
  const openBatch = (): Batch | undefined =>
    db.get(BatchRow, `SELECT * FROM batches WHERE state IN ('building', 'submitted')`);
  const required = (batchId: BatchId): Batch => {
    const batch = db.get(BatchRow, 'SELECT * FROM batches WHERE batch_id = ?', batchId);
    if (batch === undefined) {
      throw new ApprenticeError('not_found', `No batch ${batchId} in the store.`, 'Report this.');
    }
    return batch;
  };

  return {
    readySamples: (limit) =>
      db.all(
        SampleRow,
        `SELECT * FROM samples WHERE state = 'ready' AND superseded = 0 AND excluded = 0
         ORDER BY created_at_ms, rowid LIMIT ?`,
        limit,
      ),

    replaySamples: (limit, exclude) =>
      db.all(
        SampleRow,
        `SELECT * FROM samples WHERE state = 'trained' AND superseded = 0 AND excluded = 0
           AND sample_id NOT IN (SELECT value FROM json_each(?))
         ORDER BY created_at_ms DESC, rowid DESC LIMIT ?`,
        JSON.stringify(exclude),
        limit,
      ),

    holdSample: (sampleId, note) => {
      db.write(['samples'], () => {
        const sql = `UPDATE samples SET state = 'held', note = ? WHERE sample_id = ? AND state = 'ready'`;
        return db.run(sql, note, sampleId) === 0 ? null : true;
      });
    },

    beginBatch: (batch) =>
      db.write(['batches', 'samples', 'versions'], () => {
        const open = openBatch();
        if (open !== undefined) throw invalid(`Batch ${open.batchId} (${open.version}) is still under way.`);
        db.run(
          `INSERT INTO batches(batch_id, kind, version, parent, state, created_at_ms)
           VALUES (?, ?, ?, ?, 'building', ?)`,
          batch.batchId,
          batch.kind,
          batch.version,
          batch.parent,
          batch.createdAtMs,
        );
        for (const sampleId of batch.newSamples) {
          const changed = db.run(
            `UPDATE samples SET state = 'batched', batch_id = ? WHERE sample_id = ? AND state = 'ready'`,
            batch.batchId,
            sampleId,
          );
          if (changed !== 1) throw invalid(`Sample ${sampleId} is not ready.`);
          insertMember(db, batch.batchId, sampleId, 'new');
        }
        for (const sampleId of batch.replaySamples) insertMember(db, batch.batchId, sampleId, 'replay');
        for (const { turnId, role } of batch.turns) {
          db.run(
            'INSERT INTO batch_turns(batch_id, turn_id, role) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
            batch.batchId,
            turnId,
            role,
          );
        }
        db.run(
          `INSERT INTO versions(version, parent, state, batch_id, created_at_ms) VALUES (?, ?, 'training', ?, ?)`,
          batch.version,
          batch.parent,
          batch.batchId,
          batch.createdAtMs,
        );
      }),

    setManifest: (batchId, manifest, advantages = []) =>
      db.write(['batches'], () => {
        const changed = db.run(
          `UPDATE batches SET manifest = ? WHERE batch_id = ? AND state IN ('building', 'submitted')`,
          JSON.stringify(manifest),
          batchId,
        );
        if (changed !== 1) throw invalid(`Batch ${batchId} is ${required(batchId).state}.`);
        keepAdvantages(db, advantages);
      }),

    submitBatch: (batchId) =>
      db.write(['batches'], () => {
        const changed = db.run(
          `UPDATE batches SET state = 'submitted', attempts = attempts + 1
           WHERE batch_id = ? AND state IN ('building', 'submitted')`,
          batchId,
        );
        const batch = required(batchId);
        if (changed !== 1) throw invalid(`Batch ${batchId} is ${batch.state}.`);
        return batch;
      }),

    openBatch,

    batch: (batchId) => db.get(BatchRow, 'SELECT * FROM batches WHERE batch_id = ?', batchId),

    batchSamples: (batchId) =>
      db
        .all(
          MemberRow,
          'SELECT sample_id, origin FROM batch_samples WHERE batch_id = ? ORDER BY rowid',
          batchId,
        )
        .map((row) => ({ sampleId: row.sample_id, origin: row.origin })),

    batchTurns: (batchId) =>
      db
        .all(
          BatchTurnRow,
          'SELECT turn_id, role FROM batch_turns WHERE batch_id = ? ORDER BY turn_id, role',
          batchId,
        )
        .map((row) => ({ turnId: row.turn_id, role: row.role })),

    completeBatch: (batchId, made) => {
      db.write(['batches', 'samples', 'versions'], () => {
        const batch = required(batchId);
        if (batch.state === 'trained') return null;
        if (batch.state === 'failed') throw invalid(`Batch ${batchId} was given up before: ${batch.error}`);
        db.run(`UPDATE batches SET state = 'trained', error = NULL WHERE batch_id = ?`, batchId);
        db.run(`UPDATE samples SET state = 'trained' WHERE batch_id = ?`, batchId);
        db.run(
          `UPDATE versions SET state = 'trained', folder = ?, adapter_sha256 = ?, metrics = ?, created_at_ms = ?
           WHERE version = ?`,
          made.folder,
          made.adapterSha256,
          JSON.stringify(made.metrics),
          made.atMs,
          batch.version,
        );
        return true;
      });
    },

    failBatch: (batchId, error) => {
      db.write(['batches', 'samples', 'versions'], () => {
        const batch = required(batchId);
        if (batch.state === 'failed') return null;
        if (batch.state === 'trained') throw invalid(`Batch ${batchId} is trained already.`);
        db.run(`UPDATE batches SET state = 'failed', error = ? WHERE batch_id = ?`, error, batchId);
        db.run(`UPDATE samples SET state = 'held', note = ? WHERE batch_id = ?`, error, batchId);
        db.run(`UPDATE versions SET state = 'failed' WHERE version = ?`, batch.version);
        return true;
      });
    },
  };
}

function insertMember(db: Database, batchId: BatchId, sampleId: SampleId, origin: 'new' | 'replay'): void {
  db.run(
    'INSERT INTO batch_samples(batch_id, sample_id, origin) VALUES (?, ?, ?)',
    batchId,
    sampleId,
    origin,
  );
}

function invalid(message: string): ApprenticeError {
  return new ApprenticeError('invalid_request', message, 'Read the open batch again and go on from there.');
}
