/** The panel's list over 100,000 turns: each page is quick, whatever is looked for, and together they are all. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { TurnQuery } from '../../../agent-server/protocol/turns.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { temporaryFolder } from '../../fixtures/home.ts';

const TURNS = 100_000;
/** 20 times what a page takes on a machine that is not busy: a walk over all turns would take longer still. */
const PAGE_LIMIT_MS = 400;

/** Every turn with 1 KB of request; every third corrected; one in 50,000 says "heliotrope". */
const SEED = [
  `INSERT INTO sessions(session_id, created_at_ms) VALUES ('session', 0)`,
  `INSERT INTO turns(turn_id, session_id, kind, learnable, state, created_at_ms, finished_at_ms, messages, prompt_ids,
     version, subject, response_ids, behaviour_logprobs, text, finish_reason, answered_by)
   WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < ${TURNS})
   SELECT printf('%08x-0000-4000-a000-000000000000', n), 'session', 'main', 1, 'settled', n * 60000, n * 60000,
     json_array(json_object('role', 'user', 'content', hex(zeroblob(500)))), zeroblob(400), 'policy@v0', '{"kind":"chat"}',
     zeroblob(40), zeroblob(80), iif(n % 50000 = 1, 'heliotrope', 'fix: part ') || n, 'stop', 'policy@v' || (n / 50000) FROM c`,
  `INSERT INTO verdicts(turn_id, score, decided_by, decided_at_ms)
   SELECT turn_id, iif(rowid % 3 = 0, -1, 1), 'evidence:user_edit', created_at_ms FROM turns`,
];

test('PANEL-5: any page of 100,000 turns is found by looking at few of them; what is rare, over several', async () => {
  const file = join(temporaryFolder(), 'store.sqlite');
  (await openStore(file)).store.close();
  const db = new DatabaseSync(file);
  db.exec('PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN');
  for (const sql of SEED) db.exec(sql);
  db.exec('COMMIT');
  db.close();
  const { store } = await openStore(file);

  const walk = (filter: Partial<TurnQuery['filter']>) => {
    let [pages, turns, searched, slowestMs] = [0, 0, 0, 0];
    let before: number | null = null;
    const ids = new Set<string>();
    do {
      const beganMs = performance.now();
      const page = store.turnPage(TurnQuery.parse({ filter, before, limit: 100 }));
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      assert.equal(page.total, TURNS);
      assert.ok(page.searched <= 5_000, `${page.searched} turns for one page`);
      for (const { turnId } of page.turns) ids.add(turnId);
      pages += 1;
      turns += page.turns.length;
      searched += page.searched;
      before = page.next;
    } while (before !== null);
    assert.equal(searched, TURNS, 'the pages together have seen every turn');
    assert.equal(ids.size, turns, 'no turn stands on two pages');
    assert.ok(slowestMs < PAGE_LIMIT_MS, `a page took ${slowestMs} ms`);
    return { pages, turns };
  };
  assert.deepEqual(walk({ text: 'heliotrope' }), { pages: 20, turns: 2 });
  assert.equal(walk({ outcome: 'corrected', version: store.serving() }).turns, 16_666);
  store.close();
});
