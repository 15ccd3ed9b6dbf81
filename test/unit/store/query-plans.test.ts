/**
 * LOAD-3: no statement of the store walks through a table that grows with use. The store's contract is run over a
 * connection that notes every statement; then SQLite is asked how it carries each of them out.
 */
import assert from 'node:assert/strict';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { Database } from '../../../agent-server/store/database.ts';
import { MIGRATIONS } from '../../../agent-server/store/schema.ts';
import { storeOver } from '../../../agent-server/store/sqlite-store.ts';
import { storeContract } from '../../contract/store.ts';

const noted = new Set<string>();

class NotedConnection extends DatabaseSync {
  override prepare(sql: string): StatementSync {
    noted.add(sql);
    return super.prepare(sql);
  }
}

function open(): NotedConnection {
  const connection = new NotedConnection(':memory:', { enableForeignKeyConstraints: true });
  for (const migration of MIGRATIONS) connection.exec(migration);
  return connection;
}

storeContract('SQLite, noting its statements', () => ({
  open: async () => storeOver(new Database(open(), () => undefined), new Promise(() => undefined)),
  durable: false,
  dispose: () => undefined,
}));

/** A row for each turn or so; and what the queries call these tables for short. */
const GROWING =
  'turns|observations|next_states|verdicts|evidence|votes|hints|hint_candidates|samples|batch_samples|t|n|o|c';

/** Walks that end early: newest first with a limit, or within a few rows found before. */
const ENDS_EARLY = [
  /^SELECT t\.turn_id.*ORDER BY t\.rowid DESC LIMIT \?$/s,
  /ORDER BY rowid DESC LIMIT \?\) v/,
  /WHERE t\.rowid > \(SELECT max\(rowid\) FROM turns\) - 2000/,
  /^SELECT \* FROM lessons l WHERE.*ORDER BY created_at_ms DESC LIMIT 64\) n/s,
];
/** Deleting and forgetting: the user asks for it once, and it may take its time. */
const ASKED_ONCE = [
  /^DELETE FROM "?\w+"?$/,
  /^DELETE FROM (evidence|observations) WHERE/,
  /^UPDATE turns SET prompt_ids = x''/,
];

describe('Statements of the store', () => {
  const connection = open();
  after(() => connection.close());

  it('LOAD-3: each finds its rows by an index', () => {
    const statements = [...noted].filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/.test(sql));
    assert.ok(statements.length > 50, 'the contract ran before');
    const walks = statements.flatMap((sql) => {
      if ([...ENDS_EARLY, ...ASKED_ONCE].some((pattern) => pattern.test(sql.trim()))) return [];
      const plan = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      return plan
        .map((step) => String(step['detail']))
        .filter((detail) => new RegExp(`^(?:SCAN|SEARCH) (${GROWING})\\b(?!.*USING)`).test(detail))
        .map((detail) => `${detail}: ${sql.replaceAll(/\s+/g, ' ')}`);
    });
    assert.deepEqual(walks, []);
  });
});
