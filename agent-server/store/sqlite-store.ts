/**
 * The store over node:sqlite. Each group of queries lives in a file of its own; here they become one Store over
 * one connection. One process uses a file at a time: the agent-server's lock sees to that.
 */
import { batchQueries } from './batches.ts';
import { comparisonQueries } from './comparisons.ts';
import { dataQueries } from './data.ts';
import { Database } from './database.ts';
import { forgettingQueries } from './forgetting.ts';
import { judgementQueries } from './judgements.ts';
import { lessonLearningQueries } from './lesson-learning.ts';
import { lessonQueries } from './lessons.ts';
import { observationQueries } from './observations.ts';
import { markDamaged, openFile } from './open-file.ts';
import { ownTextQueries } from './own-texts.ts';
import { panelQueries } from './panel.ts';
import { panelTurnQueries } from './panel-turns.ts';
import { rollbackQueries } from './rollback.ts';
import { sessionQueries } from './sessions.ts';
import type { Store } from './store.ts';
import { teacherCheckQueries } from './teacher-checks.ts';
import { tokenAdvantageQueries } from './token-advantages.ts';
import { turnQueries } from './turns.ts';
import { versionQueries } from './versions.ts';
import { voteQueries } from './votes.ts';

export interface OpenedStore {
  store: Store;
  /** Nothing was remembered before: the file was new, or was set aside. */
  fresh: boolean;
  /** Where a corrupted file lies now; a fresh one took its place. */
  setAside: string | null;
}

/** Opens or makes the store at `file` (or ':memory:'). Throws `store_unavailable`; see open-file.ts. */
export async function openStore(file: string, nowMs: number = Date.now()): Promise<OpenedStore> {
  const { db: connection, fresh, setAside } = await openFile(file, nowMs);
  const damaged = Promise.withResolvers<Error>();
  const db = new Database(connection, (error) => {
    markDamaged(file);
    damaged.resolve(error);
  });
  return { store: storeOver(db, damaged.promise), fresh, setAside };
}

/** All queries over one connection whose file is migrated. `damaged` is what Store.damaged answers. */
export function storeOver(db: Database, damaged: Promise<Error>): Store {
  return {
    close: () => db.close(),
    damaged: () => damaged,
    together: (work) => db.together(work),
    onChange: (listener) => db.onChange(listener),
    ...turnQueries(db),
    ...sessionQueries(db),
    ...observationQueries(db),
    ...judgementQueries(db),
    ...voteQueries(db),
    ...teacherCheckQueries(db),
    ...batchQueries(db),
    ...versionQueries(db),
    ...rollbackQueries(db),
    ...forgettingQueries(db),
    ...ownTextQueries(db),
    ...comparisonQueries(db),
    ...panelQueries(db),
    ...panelTurnQueries(db),
    ...dataQueries(db),
    ...tokenAdvantageQueries(db),
    ...lessonQueries(db),
    ...lessonLearningQueries(db),
  };
}
