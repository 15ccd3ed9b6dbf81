/** Undo and redo over a review: they stop before it and after it, and go on in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { propose } from '../../../../extension/review/proposal.ts';
import { ReviewHistory } from '../../../../extension/review/review-history.ts';

function proposal() {
  const step = propose(0, ['a'], ['b']);
  assert.ok(step);
  return step.proposal;
}

test('REVIEW-3: an undo under review goes back to what it was at that text, and before the proposal ends it', () => {
  const history = new ReviewHistory('before');
  const first = proposal();
  history.passed('proposed', first);
  history.passed('typed', proposal());
  assert.deepEqual(history.cameTo('proposed'), { kind: 'back', proposal: first });
  assert.deepEqual(history.cameTo('something else'), { kind: 'elsewhere' });
  assert.deepEqual(history.cameTo('before'), { kind: 'withdrawn' });
  assert.deepEqual(history.cameTo('before'), { kind: 'elsewhere' }, 'told once');
  assert.deepEqual(history.cameTo('proposed'), { kind: 'between', goes: 'back' });
});

test('REVIEW-3: after a review undo and redo go on through its texts, and each end is told once', () => {
  const history = new ReviewHistory('before');
  history.passed('proposed', proposal());
  history.passed('typed', proposal());
  history.ended('after');
  assert.deepEqual(history.cameTo('after'), { kind: 'elsewhere' }, 'back from a later edit');
  assert.deepEqual(history.cameTo('typed'), { kind: 'between', goes: 'on' });
  assert.deepEqual(history.cameTo('proposed'), { kind: 'between', goes: 'on' });
  assert.deepEqual(history.cameTo('before'), { kind: 'undone' });
  assert.deepEqual(history.cameTo('proposed'), { kind: 'between', goes: 'on' });
  assert.deepEqual(history.cameTo('after'), { kind: 'redone' });
  assert.deepEqual(history.cameTo('before'), { kind: 'undone' });
});

test('REVIEW-3: a review that left all as it was has nothing to undo', () => {
  const history = new ReviewHistory('before');
  history.passed('proposed', proposal());
  history.ended('before');
  assert.deepEqual(history.cameTo('before'), { kind: 'elsewhere' });
});
