/** The panel's list over 100,000 turns: each page is quick, whatever is looked for, and together they are all. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { TurnQuery } from '../../../agent-server/protocol/turns.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { MANY_TURNS, seedManyTurns } from '../../fixtures/many-turns.ts';
import { T0 } from '../../fixtures/records.ts';

/** 50 times what a page takes on a machine that is not busy. */
const PAGE_LIMIT_MS = 1_000;

test('PANEL-5: any page of 100,000 turns is found by looking at few of them; what is rare, over several', async () => {
  const home = temporaryFolder();
  await seedManyTurns(home, T0);
  const { store } = await openStore(join(home, 'store.sqlite'));

  const walk = (filter: Partial<TurnQuery['filter']>) => {
    let [pages, turns, searched, slowestMs] = [0, 0, 0, 0];
    let before: number | null = null;
    const ids = new Set<string>();
    do {
      const beganMs = performance.now();
      const page = store.turnPage(TurnQuery.parse({ filter, before, limit: 100 }));
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      assert.equal(page.total, MANY_TURNS);
      assert.ok(page.searched <= 5_000, `${page.searched} turns for one page`);
      for (const { turnId } of page.turns) ids.add(turnId);
      pages += 1;
      turns += page.turns.length;
      searched += page.searched;
      before = page.next;
    } while (before !== null);
    assert.equal(searched, MANY_TURNS, 'the pages together have seen every turn');
    assert.equal(ids.size, turns, 'no turn stands on two pages');
    assert.ok(slowestMs < PAGE_LIMIT_MS, `a page took ${slowestMs} ms`);
    return { pages, turns };
  };
  assert.deepEqual(walk({ text: 'heliotrope' }), { pages: 20, turns: 2 });
  assert.equal(walk({ outcome: 'corrected', version: store.serving() }).turns, 16_666);
  store.close();
});
