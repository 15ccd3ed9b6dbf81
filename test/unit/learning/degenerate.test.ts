import assert from 'node:assert/strict';
import { test } from 'node:test';
import { degenerateReason } from '../../../agent-server/learning/degenerate.ts';

const count = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);
const answer = (responseIds: number[], over: { text?: string; finishReason?: 'stop' | 'length' } = {}) =>
  degenerateReason({ responseIds, text: 'text', finishReason: 'stop', ...over });
const times = (n: number, block: number[]) => Array.from({ length: n }, () => block).flat();

test('LEARN-16: empty, cut off and looping answers are degenerate', () => {
  assert.match(answer([]) ?? '', /empty/);
  assert.match(answer([5], { text: ' \n' }) ?? '', /empty/);
  assert.match(answer(count(9), { finishReason: 'length' }) ?? '', /cut off/);
  assert.match(answer([...count(20), ...times(40, [7])]) ?? '', /loop/);
  assert.match(answer([...count(20), ...times(5, count(12, 100)), 2]) ?? '', /loop/);
  // "Step 1 is done with care, step 2 is done ...": no block comes twice.
  const counting = Array.from({ length: 10 }, (_, i) => [500 + i, ...count(13)]).flat();
  assert.match(answer(counting) ?? '', /again and again/);
});

test('LEARN-16: what people write is not degenerate: a short repetition, a table, a list in one form', () => {
  assert.equal(answer(count(300)), null);
  assert.equal(answer([...count(10), ...times(3, [7, 8]), ...count(10, 50)]), null);
  assert.equal(answer([...count(40), ...times(8, [7, 8, 9]), ...count(60, 100)]), null);
  const list = Array.from({ length: 10 }, (_, i) => [1, ...count(8, 100 * i + 100), 2]).flat();
  assert.equal(answer(list), null);
  assert.equal(answer([7]), null);
});
