/**
 * Deleting and excluding what the user does not want remembered or learnt from, and marking the versions that had
 * learnt from it. Training those away again is `forget` in rollback.ts.
 *
 * Rows are overwritten with zeros (`secure_delete`) and the write-ahead log is emptied, so that the text is not
 * left in free pages. Backups and a disk's own copies are out of reach.
 */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, SampleId, TurnId, versionNumber, WeightVersion } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import { switchOffLesson } from './lessons.ts';
import { abandonOpenBatch, openBatchOf } from './lineage.ts';
import type { Store, StoreChange } from './store.ts';
import type { Deleted, Taint } from './version-types.ts';

type ForgettingQueries = Pick<Store, 'deleteTurn' | 'deleteSession' | 'deleteEverything' | 'excludeTurn'>;

const Turns = z.object({ turn_id: TurnId });
const Sessions = z.object({ session_id: z.string() });
const ALL: readonly StoreChange[] = [
  'settings',
  'turns',
  'observations',
  'judge',
  'samples',
  'batches',
  'versions',
  'lessons',
  'comparisons',
];
/** Not the user's: how Apprentice is set up, and what the base itself says of unrelated things. */
const KEPT = ['settings', 'anchors'] as const;

/** `?1`: JSON array of turn ids. */
const GIVEN = '(SELECT value FROM json_each(?1))';

const SampleIdRow = z.object({ sample_id: SampleId });

export function forgettingQueries(db: Database): ForgettingQueries {
  return {
    deleteTurn: (turnId) =>
      overwriting(db, () =>
        deleteTurns(
          db,
          // Every turn that was asked for the same, then the later turns of their conversations.
          `SELECT turn_id FROM turns WHERE turn_id = ?1 OR retry_of = ?1
             OR turn_id = (SELECT retry_of FROM turns WHERE turn_id = ?1)
             OR retry_of = (SELECT retry_of FROM turns WHERE turn_id = ?1)`,
          turnId,
          `turn ${turnId}`,
        ),
      ),

    deleteSession: (sessionId) =>
      overwriting(db, () =>
        deleteTurns(
          db,
          'SELECT turn_id FROM turns WHERE session_id = ?1',
          sessionId,
          `session ${sessionId} with turns`,
        ),
      ),

    deleteEverything: (atMs) => {
      overwriting(db, () =>
        db.write(ALL, () => {
          const made = db.all(z.object({ version: WeightVersion }), 'SELECT version FROM versions');
          const newest = Math.max(0, ...made.map(({ version }) => versionNumber(version)));
          db.run('PRAGMA defer_foreign_keys = ON');
          for (const { name } of userTables(db)) db.run(`DELETE FROM "${name}"`);
          db.run('UPDATE counters SET value = 0');
          db.run(
            `INSERT INTO settings(key, value) VALUES ('versions_made', ?1)
             ON CONFLICT(key) DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(?1 AS INTEGER))`,
            String(newest),
          );
          db.run(
            `INSERT INTO versions(version, parent, state, created_at_ms, served_at_ms)
             VALUES (?1, NULL, 'serving', ?2, ?2)`,
            BASE_VERSION,
            atMs,
          );
        }),
      );
      db.run('VACUUM');
    },

    excludeTurn: (turnId, state) => {
      db.write(['samples', 'batches', 'versions'], () => {
        if (state === 'excluded') switchOffLesson(db, turnId);
        const excluded = state === 'excluded' ? 1 : 0;
        const found = db.all(
          SampleIdRow,
          'UPDATE samples SET excluded = ? WHERE turn_id = ? RETURNING sample_id',
          excluded,
          turnId,
        );
        if (found.length === 0) throw missing(`sample of turn ${turnId}`);
        if (excluded === 1) giveUpBatchWith(db, [turnId]);
        else tryAgain(db, turnId);
        markExcluded(db);
      });
    },
  };
}

/** Runs a deletion with freed pages zeroed, and leaves nothing of it in the write-ahead log. */
function overwriting<R>(db: Database, work: () => R): R {
  db.run('PRAGMA secure_delete = ON');
  try {
    return work();
  } finally {
    db.all(z.unknown(), 'PRAGMA wal_checkpoint(TRUNCATE)');
    db.run('PRAGMA secure_delete = OFF');
  }
}

/** Deletes the turns that `chosen` (over `?1`) selects, and all that continue their conversations. */
function deleteTurns(db: Database, chosen: string, parameter: string, what: string): Deleted {
  return db.write(ALL, () => {
    const turns = db
      .all(
        Turns,
        `WITH RECURSIVE doomed(turn_id) AS (${chosen}
           UNION SELECT t.turn_id FROM turns t JOIN doomed d ON t.parent_turn_id = d.turn_id)
         SELECT turn_id FROM doomed`,
        parameter,
      )
      .map((row) => row.turn_id);
    if (turns.length === 0) throw missing(what);
    const given = JSON.stringify(turns);
    giveUpBatchWith(db, turns);
    const tainted = taint(db, turns, 'deleted');
    dropFromPrompts(db, given);
    const observations = db.all(
      z.object({ turn_id: TurnId, observation_id: z.string() }),
      `DELETE FROM next_states WHERE turn_id IN ${GIVEN} OR next_state_id IN (
         SELECT n.next_state_id FROM next_states n JOIN turns t ON t.parent_turn_id = n.turn_id
         WHERE t.turn_id IN ${GIVEN} AND n.kind IN ('user_reply', 'tool_result')
           AND NOT EXISTS (SELECT 1 FROM turns o WHERE o.parent_turn_id = n.turn_id AND o.turn_id NOT IN ${GIVEN}))
       RETURNING turn_id, observation_id`,
      given,
    );
    for (const { turn_id, observation_id } of observations) {
      db.run('DELETE FROM evidence WHERE turn_id = ? AND observation_id = ?', turn_id, observation_id);
      db.run('DELETE FROM observations WHERE observation_id = ?', observation_id);
    }
    // Those that never became a next state name their turn in the body only.
    db.run(`DELETE FROM observations WHERE state <> 'attached' AND body ->> '$.turnId' IN ${GIVEN}`, given);
    const sessions = JSON.stringify(
      db
        .all(Sessions, `SELECT DISTINCT session_id FROM turns WHERE turn_id IN ${GIVEN}`, given)
        .map((row) => row.session_id),
    );
    deleteReferring(db, 'samples', `(SELECT sample_id FROM samples WHERE turn_id IN ${GIVEN})`, given);
    deleteReferring(db, 'turns', GIVEN, given);
    db.run(`DELETE FROM turns WHERE turn_id IN ${GIVEN}`, given);
    const empty = `session_id IN ${GIVEN} AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = sessions.session_id)`;
    db.run(
      `UPDATE sessions SET forked_from = NULL WHERE forked_from IN (SELECT session_id FROM sessions WHERE ${empty})`,
      sessions,
    );
    db.run(`DELETE FROM sessions WHERE ${empty}`, sessions);
    return { turns: turns.length, tainted };
  });
}

/**
 * Deletes every row that refers to one of `target`'s rows, whichever table it is in: one that is added later is
 * not forgotten here. Turns and sessions that merely come after a deleted turn stay, and lose the reference.
 */
function deleteReferring(db: Database, target: 'turns' | 'samples', keys: string, given: string): void {
  const references = db.all(
    z.object({ name: z.string(), column: z.string() }),
    `SELECT s.name, f."from" AS "column" FROM sqlite_schema s, pragma_foreign_key_list(s.name) f
     WHERE s.type = 'table' AND f."table" = ?`,
    target,
  );
  db.run('PRAGMA defer_foreign_keys = ON');
  for (const { name, column } of references) {
    if (name === 'turns' || name === 'sessions')
      db.run(`UPDATE ${name} SET ${column} = NULL WHERE ${column} IN ${keys}`, given);
    else db.run(`DELETE FROM ${name} WHERE ${column} IN ${keys}`, given);
  }
}

/**
 * Lessons of deleted turns stood in the prompts of others, and there only as token ids: they are emptied. Such a
 * turn is trained by its messages, which never hold a lesson.
 */
function dropFromPrompts(db: Database, given: string): void {
  db.run(
    `UPDATE turns SET prompt_ids = x'' WHERE lesson_ids <> '[]' AND EXISTS (
       SELECT 1 FROM json_each(turns.lesson_ids) i JOIN lessons l ON l.lesson_id = i.value
       WHERE l.turn_id IN ${GIVEN})`,
    given,
  );
}

/** An open batch that takes anything of these turns is given up; its other samples are ready again. */
function giveUpBatchWith(db: Database, turns: readonly TurnId[]): void {
  const open = openBatchOf(db);
  if (open === undefined) return;
  const members = db.all(
    Turns,
    `SELECT turn_id FROM samples WHERE sample_id IN (SELECT sample_id FROM batch_samples WHERE batch_id = ?1)
     UNION SELECT turn_id FROM batch_turns WHERE batch_id = ?1`,
    open.batchId,
  );
  if (!members.some(({ turn_id }) => turns.includes(turn_id))) return;
  abandonOpenBatch(db, 'Something in it was deleted or excluded.');
}

/** Marks every version that learnt from these turns, in any role, and all trained from those. Returns them. */
function taint(db: Database, turns: readonly TurnId[], why: Taint): WeightVersion[] {
  return db
    .all(
      z.object({ version: WeightVersion }),
      `WITH RECURSIVE marked(version) AS (
         SELECT v.version FROM versions v WHERE v.batch_id IN (
           SELECT m.batch_id FROM batch_samples m JOIN samples s USING (sample_id) WHERE s.turn_id IN ${GIVEN}
           UNION SELECT batch_id FROM batch_turns WHERE turn_id IN ${GIVEN})
         UNION SELECT v.version FROM versions v JOIN marked m ON v.parent = m.version)
       UPDATE versions SET tainted = ?2
       WHERE version IN (SELECT version FROM marked) AND (tainted IS NULL OR ?2 = 'deleted') RETURNING version`,
      JSON.stringify(turns),
      why,
    )
    .map(({ version }) => version);
}

/** Exclusions can be taken back: their marks are made anew. A deletion's mark stays. */
function markExcluded(db: Database): void {
  db.run(`UPDATE versions SET tainted = NULL WHERE tainted = 'excluded'`);
  const excluded = db.all(Turns, 'SELECT DISTINCT turn_id FROM samples WHERE excluded = 1');
  taint(
    db,
    excluded.map(({ turn_id }) => turn_id),
    'excluded',
  );
}

/** A sample that a failed step or a rollback left held is ready, and may be new in another batch. */
function tryAgain(db: Database, turnId: TurnId): void {
  const again = `SELECT sample_id FROM samples
    WHERE turn_id = ?1 AND state = 'held' AND batch_id IS NOT NULL AND superseded = 0`;
  db.run(`UPDATE batch_samples SET undone = 1 WHERE sample_id IN (${again})`, turnId);
  db.run(`UPDATE samples SET state = 'ready', note = NULL WHERE sample_id IN (${again})`, turnId);
}

/** Every table but those that are kept: one that is added later is the user's unless it is named there. */
function userTables(db: Database): { name: string }[] {
  return db.all(
    z.object({ name: z.string() }),
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'counters'
       AND name NOT IN (SELECT value FROM json_each(?))`,
    JSON.stringify(KEPT),
  );
}

function missing(what: string): ApprenticeError {
  return new ApprenticeError('not_found', `There is no ${what} in the store.`, 'It may be deleted already.');
}
