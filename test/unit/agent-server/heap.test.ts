/** What bounds the agent-server's memory is for it alone: the engine and the trainer that it starts are not bound. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { boundHeap, HEAP_ENVIRONMENT } from '../../../agent-server/heap.ts';

const NAME = 'MALLOC_ARENA_MAX';
const before = process.env[NAME];
afterEach(() => {
  delete process.env[NAME];
  if (before !== undefined) process.env[NAME] = before;
});

test("what bounds glibc's heaps is not handed down; what the user had set is", () => {
  assert.deepEqual(Object.keys(HEAP_ENVIRONMENT), [NAME]);
  Object.assign(process.env, HEAP_ENVIRONMENT);
  boundHeap();
  assert.equal(process.env[NAME], undefined);
  process.env[NAME] = '8';
  boundHeap();
  assert.equal(process.env[NAME], '8');
});
