/** Queries about weight versions and the pointer to the one that serves; the anchors that hold them near the base. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, WeightVersion, weightVersion } from '../protocol/ids.ts';
import { idsToBlob } from './codec.ts';
import type { Database } from './database.ts';
import { decide, lineageOf, serve } from './lineage.ts';
import type { Store } from './store.ts';
import { AnchorRow, PromotionRow, VersionRow } from './version-rows.ts';
import type { Anchor } from './version-types.ts';

/** Orders `policy@v10` after `policy@v9`. */
const NUMBER = `CAST(substr(version, ${'policy@v'.length + 1}) AS INTEGER)`;

type VersionQueries = Pick<
  Store,
  | 'storeId'
  | 'nextVersion'
  | 'versions'
  | 'version'
  | 'serving'
  | 'undecidedVersion'
  | 'promote'
  | 'rejectVersion'
  | 'dropWeights'
  | 'promotions'
  | 'lineage'
  | 'anchors'
  | 'addAnchor'
>;

const VersionNameRow = z.object({ version: WeightVersion });
const NumberRow = z.object({ n: z.number() });
const StoreIdRow = z.object({ value: z.uuid() });

export function versionQueries(db: Database): VersionQueries {
  const find = (version: WeightVersion) =>
    db.get(VersionRow, 'SELECT * FROM versions WHERE version = ?', version);
  const serving = (): WeightVersion =>
    db.get(VersionNameRow, `SELECT version FROM versions WHERE state = 'serving'`)?.version ?? BASE_VERSION;

  /** The train loop asks for them at every change, and thousands of numbers take long to parse. */
  let anchors: Anchor[] | undefined;

  return {
    storeId: () => {
      const find = () => db.get(StoreIdRow, `SELECT value FROM settings WHERE key = 'store_id'`)?.value;
      const made = find();
      if (made !== undefined) return made;
      db.write([], () =>
        db.run(
          `INSERT INTO settings(key, value) VALUES ('store_id', ?) ON CONFLICT(key) DO NOTHING`,
          crypto.randomUUID(),
        ),
      );
      return find() ?? storeIdLost();
    },

    // The setting outlives the deletion of everything: a number is never given to other weights.
    nextVersion: () =>
      weightVersion(
        (db.get(
          NumberRow,
          `SELECT max((SELECT max(${NUMBER}) FROM versions),
             coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'versions_made'), 0)) AS n`,
        )?.n ?? 0) + 1,
      ),

    versions: () => db.all(VersionRow, `SELECT * FROM versions ORDER BY ${NUMBER}`),

    version: find,

    serving,

    undecidedVersion: () =>
      db.get(VersionRow, `SELECT * FROM versions WHERE state = 'trained' ORDER BY ${NUMBER}`),

    promote: (version, reason, atMs, figures) => {
      db.write(['versions'], () => {
        const row = find(version);
        if (row?.state === 'serving') return null;
        if (row?.state !== 'trained') throw cannot(version, row?.state, 'serve');
        if (row.parent !== serving()) {
          throw cannot(version, `trained from ${row.parent}, which does not serve,`, 'serve');
        }
        serve(db, version, 'retired', atMs);
        decide(db, version, 1, reason, atMs, figures ? JSON.stringify(figures) : null);
        return true;
      });
    },

    rejectVersion: (version, reason, atMs, figures) => {
      db.write(['versions', 'samples'], () => {
        const row = find(version);
        if (row?.state === 'failed') return null;
        if (row?.state !== 'trained') throw cannot(version, row?.state, 'be rejected');
        db.run(`UPDATE versions SET state = 'failed' WHERE version = ?`, version);
        db.run(
          `UPDATE samples SET state = 'held', note = ? WHERE batch_id = ? AND state = 'trained'`,
          `${version} did not pass: ${reason}.`,
          row.batchId,
        );
        decide(db, version, 0, reason, atMs, figures ? JSON.stringify(figures) : null);
        return true;
      });
    },

    dropWeights: (versions) => {
      db.write(['versions'], () => {
        for (const version of versions)
          db.run(
            `UPDATE versions SET folder = NULL WHERE version = ? AND state IN ('retired', 'failed')`,
            version,
          );
        return true;
      });
    },

    promotions: (limit) =>
      db.all(PromotionRow, 'SELECT * FROM promotions ORDER BY promotion_id DESC LIMIT ?', limit),

    lineage: (version) => lineageOf(db, version).map((one) => one.version),

    anchors: () => {
      anchors ??= db.all(
        AnchorRow,
        'SELECT prompt_ids, response_ids, base_top FROM anchors ORDER BY anchor_id',
      );
      return anchors;
    },

    addAnchor: (anchor) => {
      // NaN and infinities have no JSON; a logprob that is one would make the anchor unreadable later.
      if (!anchor.baseTop.flat(2).every(Number.isFinite)) {
        throw new ApprenticeError('internal', 'An anchor has a logprob that is not finite.', 'Report this.');
      }
      anchors = undefined;
      db.write(['settings'], () => {
        db.run(
          'INSERT INTO anchors(prompt_ids, response_ids, base_top) VALUES (?, ?, ?)',
          idsToBlob(anchor.promptIds),
          idsToBlob(anchor.responseIds),
          JSON.stringify(anchor.baseTop),
        );
      });
    },
  };
}

function storeIdLost(): never {
  throw new ApprenticeError('internal', 'The store did not keep its own id.', 'Report this.');
}

/** What is asked of a version cannot be: it is in the wrong state, or unknown. */
export function cannot(version: WeightVersion, state: string | undefined, what: string): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `${version} ${state === undefined ? 'does not exist' : `is ${state}`} and cannot ${what}.`,
    'Name a version that the panel lists as retired.',
  );
}
