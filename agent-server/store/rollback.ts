/** The serving pointer moved other than by promotion: the user goes back, a version is lost, or one is forgotten. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import {
  abandonUndecided,
  decide,
  followLineage,
  type LineageEntry,
  lineageOf,
  release,
  serve,
} from './lineage.ts';
import type { Store } from './store.ts';
import { VersionRow } from './version-rows.ts';
import type { Version } from './version-types.ts';
import { cannot } from './versions.ts';

type RollbackQueries = Pick<Store, 'goBack' | 'fallBack' | 'cleanAncestor' | 'forget'>;

export function rollbackQueries(db: Database): RollbackQueries {
  const serving = (): Version => {
    const row = db.get(VersionRow, `SELECT * FROM versions WHERE state = 'serving'`);
    if (row) return row;
    throw new ApprenticeError('internal', 'No version serves, not even the base.', 'Report this.');
  };

  const cleanAncestor = (): WeightVersion => {
    const { version } = serving();
    const found = lineageOf(db, version).find(
      (one) => one.kept && one.tainted === null && one.state !== 'failed',
    );
    if (found) return found.version;
    throw cannot(version, 'without a clean ancestor', 'be forgotten');
  };

  return {
    goBack: (version, reason, atMs) => {
      db.write(['versions', 'batches', 'samples'], () => {
        const row = db.get(VersionRow, 'SELECT * FROM versions WHERE version = ?', version);
        if (row?.state === 'serving') return null;
        if (row?.state !== 'retired') throw cannot(version, row?.state, 'serve');
        if (row.folder === null && row.parent !== null)
          throw cannot(version, 'one of the old versions whose weights are not kept', 'serve');
        const from = serving().version;
        abandonUndecided(db, `The user went back to ${version}.`, atMs);
        serve(db, version, 'retired', atMs);
        followLineage(db, from, version, `Undone: the user went back to ${version}.`);
        decide(db, version, 1, reason, atMs, null);
        return true;
      });
    },

    fallBack: (lost, fate, reason, atMs) =>
      db.write(['versions', 'batches', 'samples'], () => {
        const from = serving();
        if (from.version !== lost) return from.version;
        const line = lineageOf(db, lost);
        // Of another base model, its ancestors are no better; and its tokens need not be this model's.
        const usable =
          fate === 'failed'
            ? line.slice(1).find(({ state, kept }) => state === 'retired' && kept)
            : line.at(-1);
        if (usable === undefined || usable.version === lost) throw cannot(lost, 'the base', 'be replaced');
        const to = usable.version;
        abandonUndecided(db, `${lost} was lost.`, atMs);
        if (fate === 'failed') release(db, upTo(line, to));
        else followLineage(db, lost, to, `Learnt by ${lost}, which is for another base model.`);
        serve(db, to, fate, atMs);
        decide(db, lost, 0, reason, atMs, null);
        decide(db, to, 1, `${lost} could not be loaded`, atMs, null);
        return to;
      }),

    cleanAncestor,

    forget: (clean, atMs) =>
      db.write(['versions', 'batches', 'samples'], () => {
        if (clean !== cleanAncestor()) throw cannot(clean, 'not the last clean version', 'serve instead');
        const line = lineageOf(db, serving().version);
        const tainted = db.all(
          VersionRow,
          `SELECT * FROM versions WHERE tainted IS NOT NULL AND (state <> 'failed' OR folder IS NOT NULL)`,
        );
        if (tainted.length === 0) return { serving: clean, forgotten: [], samplesReady: 0 };
        abandonUndecided(db, 'What its parent had learnt was deleted or excluded.', atMs);
        const samplesReady = release(db, upTo(line, clean));
        if (clean !== line[0]?.version) {
          serve(db, clean, 'retired', atMs);
          decide(db, clean, 1, 'the last version without what is to be forgotten', atMs, null);
        }
        for (const { version, tainted: why } of tainted) {
          db.run(`UPDATE versions SET state = 'failed', folder = NULL WHERE version = ?`, version);
          decide(db, version, 0, `forgotten: something it learnt from was ${why}`, atMs, null);
        }
        return {
          serving: clean,
          forgotten: tainted.map(({ version }) => version),
          samplesReady,
        };
      }),
  };
}

/** The part of a lineage that is newer than `version`. */
function upTo(lineage: readonly LineageEntry[], version: WeightVersion): WeightVersion[] {
  const end = lineage.findIndex((one) => one.version === version);
  return lineage.slice(0, end === -1 ? lineage.length : end).map((one) => one.version);
}
