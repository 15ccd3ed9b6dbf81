/** When idle work may begin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whenIdle } from '../../../agent-server/loops/idle-work.ts';
import type { IdleTask } from '../../../agent-server/loops/train-items.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { answeredTurn } from '../../fixtures/records.ts';

test('DISTIL-3: idle work begins when no turn was made for a while, and not before', async (t) => {
  const { store } = await openStore(':memory:');
  t.after(() => store.close());
  const task: IdleTask = { description: 'a task', run: async () => undefined, giveUp: () => undefined };
  let nowMs = 1_000;
  const idle = whenIdle([{ next: () => task, nextDueMs: () => undefined }], store, {
    idleAfterMs: 500,
    nowMs: () => nowMs,
  });
  t.after(() => idle.close());
  assert.equal(idle.next(1_499), undefined);
  assert.equal(idle.nextDueMs(), 1_500);
  nowMs = 1_400;
  answeredTurn(store);
  assert.equal(idle.next(1_500), undefined);
  assert.equal(idle.nextDueMs(), 1_900);
  assert.equal(idle.next(1_900), task);
});
