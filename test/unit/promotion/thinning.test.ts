/** Which versions keep their weights. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numbersToDrop } from '../../../agent-server/promotion/thinning.ts';

test('KEEP-2: the newest half stays, the rest thins out over all that was, however often it is done', () => {
  let kept: number[] = [];
  for (let version = 1; version <= 1_000; version += 1) {
    kept.push(version);
    const dropped = new Set(numbersToDrop(kept, 16));
    kept = kept.filter((number) => !dropped.has(number));
  }
  assert.equal(kept.length, 16);
  assert.deepEqual(kept.slice(8), [993, 994, 995, 996, 997, 998, 999, 1_000]);
  const gaps = kept.slice(0, 8).map((number, index) => number - (kept[index - 1] ?? 0));
  assert.ok(Math.max(...gaps) <= 512, `widest gap ${Math.max(...gaps)}: ${kept.join(' ')}`);
  assert.ok((kept[0] ?? 0) < 500, kept.join(' '));
});

test('KEEP-2: nothing goes while there is room', () => {
  assert.deepEqual(numbersToDrop([1, 2, 3], 3), []);
  assert.deepEqual(numbersToDrop([], 2), []);
});
