/**
 * A store as it is after years of use: a million answered turns with next states, verdicts, samples, batches and
 * versions, in the schema that ships. Written by SQL in bulk, about two minutes, and kept for the next run; a
 * schema that changed makes another. What is measured over it is load.ts.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MIGRATIONS } from '../../agent-server/store/schema.ts';
import { repositoryRoot } from '../fixtures/runtime.ts';

/** One turn a minute: a million of them are two years. */
const APART_MS = 60_000;
const SAMPLES_A_BATCH = 200;

/** Random, in the shape of a UUID of version 4. */
const UUID = `(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' ||
  substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))`;
/** A commit-message request as the editor makes it: instructions and some 220 tokens of diff. */
const MESSAGES = `json_array(json_object('role', 'user', 'content',
  'Write the commit message for this change.' || char(10) || 'src/part' || (n % 997) || '.ts +3 -1' || char(10) ||
  hex(randomblob(400))))`;
const SUBJECT = `iif(n % 5 = 0, '{"kind":"chat"}', json_object('kind', 'commit_message', 'repositoryRoot',
  '/home/user/project-' || (n % 20), 'stagedTree', lower(hex(randomblob(20))), 'diffSha256',
  lower(hex(randomblob(32))), 'head', lower(hex(randomblob(20)))))`;
const TEXT = `'fix: part ' || (n % 997) || ' no longer loses its ' || (n % 89) || 'th entry'`;
const COMMIT = `json_object('kind', 'commit', 'observationId', observation_id, 'observedAt', '2026-01-01T00:00:00Z',
  'source', 'editor', 'repositoryRoot', '/home/user/project', 'sha', lower(hex(randomblob(20))), 'tree',
  lower(hex(randomblob(20))), 'parents', json_array(lower(hex(randomblob(20)))), 'action', 'commit', 'message', text,
  'replaces', null, 'diffSha256', lower(hex(randomblob(32))))`;

/** Statements over `:turns` rows; n counts from 1. Every fifth turn is a chat, every tenth a side turn. */
const STATEMENTS = [
  `INSERT INTO sessions(session_id, created_at_ms)
     WITH RECURSIVE c(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM c WHERE n < :turns / 20)
     SELECT 'session-' || n, :firstMs FROM c`,
  `INSERT INTO turns(turn_id, session_id, kind, learnable, state, created_at_ms, finished_at_ms, messages, prompt_ids,
       version, subject, response_ids, behaviour_logprobs, text, finish_reason, answered_by)
     WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < :turns)
     SELECT ${UUID}, 'session-' || (n / 20), iif(n % 10 = 0, 'side', 'main'), 1, 'settled', :firstMs + n * :apartMs,
       :firstMs + n * :apartMs + 900, ${MESSAGES}, zeroblob(1200), 'policy@v0', ${SUBJECT}, zeroblob(80),
       zeroblob(160), ${TEXT}, 'stop', 'policy@v0' FROM c`,
  `CREATE TEMP TABLE seeded AS SELECT rowid AS n, turn_id, text, created_at_ms, ${UUID} AS observation_id,
     CASE rowid % 4 WHEN 0 THEN -1 WHEN 1 THEN 1 WHEN 2 THEN -1 END AS score FROM turns WHERE kind = 'main'`,
  `INSERT INTO observations(observation_id, kind, body, received_at_ms, state)
     SELECT observation_id, 'commit', ${COMMIT}, created_at_ms + 30000, 'attached' FROM seeded ORDER BY n`,
  `INSERT INTO next_states(turn_id, observation_id, kind, observed_at_ms)
     SELECT turn_id, observation_id, 'commit', created_at_ms + 30000 FROM seeded ORDER BY n`,
  `INSERT INTO verdicts(turn_id, score, decided_by, decided_at_ms) SELECT turn_id, score, 'evidence:commit', created_at_ms + 30001 FROM seeded ORDER BY n`,
  `INSERT INTO evidence(turn_id, source, observation_id, score, rank, detail)
     SELECT turn_id, 'commit', observation_id, score, 50, 'rewritten' FROM seeded ORDER BY n`,
  `INSERT INTO hints(turn_id, kind, text)
     SELECT turn_id, 'rewrite', 'fix(part): ' || text FROM seeded WHERE score = -1 ORDER BY n`,
  `INSERT INTO batches(batch_id, version, parent, state, created_at_ms)
     WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < :turns / ${SAMPLES_A_BATCH * 2})
     SELECT ${UUID}, 'policy@v' || n, 'policy@v' || (n - 1), 'trained', :firstMs + n FROM c`,
  `INSERT INTO samples(sample_id, turn_id, score, hint_kind, hint_text, state, created_at_ms, batch_id)
     SELECT ${UUID}, turn_id, score, iif(score = -1, 'rewrite', NULL), iif(score = -1, 'fix(part): ' || text, NULL),
       iif(score = -1, 'trained', 'held'), created_at_ms + 30001,
       iif(score = -1, (SELECT batch_id FROM batches WHERE rowid = 1 + n % (SELECT count(*) FROM batches)), NULL)
     FROM seeded WHERE score IS NOT NULL ORDER BY n`,
  `INSERT INTO batch_samples(batch_id, sample_id, origin) SELECT batch_id, sample_id, 'new' FROM samples WHERE batch_id IS NOT NULL`,
  `INSERT INTO versions(version, parent, state, batch_id, created_at_ms)
     SELECT version, parent, 'retired', batch_id, created_at_ms FROM batches ORDER BY rowid`,
  // Rows that stand in their final state from the start were not counted on the way there.
  `UPDATE counters SET value = :turns WHERE name = 'served'`,
  `UPDATE counters SET value = (SELECT count(*) FROM batches) WHERE name = 'trained'`,
];

/**
 * The file of a store with `turns` settled turns, the last of them just before `nowMs`. Made when it is not there.
 * Whoever writes to it copies it first.
 */
export function seededStore(turns: number, nowMs: number, log: (line: string) => void): string {
  const folder = join(repositoryRoot, '.apprentice', 'bench');
  mkdirSync(folder, { recursive: true });
  const recipe = createHash('sha256')
    .update([...MIGRATIONS, ...STATEMENTS].join())
    .digest('hex')
    .slice(0, 12);
  const name = `seeded-${turns}-${recipe}.sqlite`;
  const file = join(folder, name);
  if (existsSync(file)) return file;
  for (const old of readdirSync(folder)) {
    if (old.startsWith(`seeded-${turns}-`)) rmSync(join(folder, old));
  }
  log(`Making a store of ${turns} turns ...`);
  const making = `${file}.new`;
  rmSync(making, { force: true });
  const db = new DatabaseSync(making);
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE');
  db.exec('PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF');
  for (const migration of MIGRATIONS) db.exec(migration);
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  const values = { turns, firstMs: nowMs - (turns + 1) * APART_MS, apartMs: APART_MS };
  for (const sql of STATEMENTS) {
    const startMs = performance.now();
    const used = Object.entries(values).filter(([key]) => sql.includes(`:${key}`));
    db.prepare(sql).run(Object.fromEntries(used));
    log(`${((performance.now() - startMs) / 1000).toFixed(1)} s  ${sql.slice(0, 60).replaceAll('\n', ' ')}`);
  }
  db.close();
  renameSync(making, file);
  return file;
}
