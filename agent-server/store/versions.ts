/** Queries about weight versions and the pointer to the one that serves; the anchors that hold them near the base. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, WeightVersion, weightVersion } from '../protocol/ids.ts';
import { AnchorRow, idsToBlob, VersionRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

/** Orders `policy@v10` after `policy@v9`. */
const NUMBER = `CAST(substr(version, ${'policy@v'.length + 1}) AS INTEGER)`;

type VersionQueries = Pick<
  Store,
  'nextVersion' | 'versions' | 'version' | 'serving' | 'promote' | 'rejectVersion' | 'anchors' | 'addAnchor'
>;

export function versionQueries(db: Database): VersionQueries {
  const decide = (version: WeightVersion, promoted: 0 | 1, reason: string, atMs: number): void => {
    db.run(
      'INSERT INTO promotions(version, decided_at_ms, promoted, reason) VALUES (?, ?, ?, ?)',
      version,
      atMs,
      promoted,
      reason,
    );
  };

  return {
    nextVersion: () =>
      weightVersion(
        (db.get(z.object({ n: z.number() }), `SELECT max(${NUMBER}) AS n FROM versions`)?.n ?? 0) + 1,
      ),

    versions: () => db.all(VersionRow, `SELECT * FROM versions ORDER BY ${NUMBER}`),

    version: (version) => db.get(VersionRow, 'SELECT * FROM versions WHERE version = ?', version),

    serving: () =>
      db.get(z.object({ version: WeightVersion }), `SELECT version FROM versions WHERE state = 'serving'`)
        ?.version ?? BASE_VERSION,

    promote: (version, reason, atMs) => {
      db.write(['versions'], () => {
        const row = db.get(VersionRow, 'SELECT * FROM versions WHERE version = ?', version);
        if (row?.state === 'serving') return null;
        if (row?.state !== 'trained' && row?.state !== 'retired') {
          throw cannot(version, row?.state, 'serve');
        }
        db.run(`UPDATE versions SET state = 'retired' WHERE state = 'serving'`);
        db.run(`UPDATE versions SET state = 'serving', served_at_ms = ? WHERE version = ?`, atMs, version);
        decide(version, 1, reason, atMs);
        return true;
      });
    },

    rejectVersion: (version, reason, atMs) => {
      db.write(['versions'], () => {
        const row = db.get(VersionRow, 'SELECT * FROM versions WHERE version = ?', version);
        if (row?.state === 'failed') return null;
        if (row?.state !== 'trained') throw cannot(version, row?.state, 'be rejected');
        db.run(`UPDATE versions SET state = 'failed' WHERE version = ?`, version);
        decide(version, 0, reason, atMs);
        return true;
      });
    },

    anchors: () =>
      db.all(AnchorRow, 'SELECT prompt_ids, response_ids, base_top FROM anchors ORDER BY anchor_id'),

    addAnchor: (anchor) => {
      // NaN and infinities have no JSON; a logprob that is one would make the anchor unreadable later.
      if (!anchor.baseTop.flat(2).every(Number.isFinite)) {
        throw new ApprenticeError('internal', 'An anchor has a logprob that is not finite.', 'Report this.');
      }
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

function cannot(version: WeightVersion, state: string | undefined, what: string): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `${version} ${state === undefined ? 'does not exist' : `is ${state}`} and cannot ${what}.`,
    'Name a version that is trained.',
  );
}
