/** The gate's pure parts: how sure a mean is, how far a version has drifted, which turns it is compared on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { permutation, seededRandom } from '../../../agent-server/learning/random.ts';
import { bootstrapMean } from '../../../agent-server/promotion/bootstrap.ts';
import { driftFromBase } from '../../../agent-server/promotion/drift.ts';
import { type OwnText, selectSlice } from '../../../agent-server/promotion/held-out.ts';
import { newTurnId } from '../../fixtures/records.ts';

test('PROMOTE-3: the interval of a mean covers the true mean about as often as it says', () => {
  const random = seededRandom(7);
  const rounds = 200;
  let covered = 0;
  for (let round = 0; round < rounds; round += 1) {
    // Mean 0.5, by definition of the uniform distribution.
    const values = Array.from({ length: 12 }, random);
    const interval = bootstrapMean(values, 0.9, round);
    assert.ok(interval && interval.low <= interval.mean && interval.mean <= interval.high);
    if (interval.low <= 0.5) covered += 1;
  }
  // One-sided at 0.9; narrow by some points, as percentile intervals of twelve values are.
  assert.ok(covered / rounds > 0.82 && covered / rounds < 0.95, `${covered} of ${rounds}`);
});

test('PROMOTE-3: a bound depends on its seed and not on the order of asking; one value has no spread', () => {
  const values = [0.2, -0.4, 0.1, 0.6, -0.1];
  assert.deepEqual(bootstrapMean(values, 0.9, 3), bootstrapMean(values, 0.9, 3));
  assert.deepEqual(bootstrapMean([0.25], 0.9, 1), { mean: 0.25, low: 0.25, high: 0.25 });
  assert.equal(bootstrapMean([], 0.9, 1), null);
});

test('PROMOTE-4: drift is the KL to the base, exact on a shared list and never more than it', () => {
  const [a, b, c] = [0.7, 0.2, 0.1];
  const base = [
    [
      [Math.log(a), 1],
      [Math.log(b), 2],
    ],
  ] as const;
  assert.equal(driftFromBase(base, base), 0);
  const moved = [
    [
      [Math.log(b), 1],
      [Math.log(a), 2],
    ],
  ] as const;
  const exact = a * Math.log(a / b) + b * Math.log(b / a) + c * Math.log(c / c);
  assert.ok(Math.abs(driftFromBase(base, moved) - exact) < 1e-12);
  // The version's list lacks id 2: it has at most the list's smallest, 0.3, so that the KL is at least this.
  const short = [[[Math.log(0.6), 1] as const, [Math.log(0.3), 3] as const]];
  const bound = driftFromBase(base, short);
  const trueKl = a * Math.log(a / 0.6) + b * Math.log(b / 0.05) + c * Math.log(c / 0.35);
  assert.ok(bound >= 0 && bound <= trueKl);
});

function own(standing: OwnText['standing'], tokens: number): OwnText {
  const ids = Array.from({ length: tokens - 1 }, (_, i) => i);
  return { turnId: newTurnId(), promptIds: ids, textIds: [1], standing };
}

test('PROMOTE-5: held-out turns come first, learnt ones fill up, the batch’s own never stand, the budget holds', () => {
  const [learnt, inBatch, held, long, older] = [
    own('learnt-before', 10),
    own('in-batch', 10),
    own('held-out', 10),
    own('held-out', 95),
    own('held-out', 20),
  ];
  const all = [learnt, inBatch, held, long, older];
  assert.deepEqual(selectSlice(all, { turns: 8, maxTokens: 100 }), [held, older, learnt]);
  assert.deepEqual(selectSlice(all, { turns: 2, maxTokens: 1000 }), [held, long]);
  const order = permutation(60, seededRandom(1));
  const many = order.map((i) => own(i % 3 === 0 ? 'learnt-before' : 'held-out', 10 + i));
  const slice = selectSlice(many, { turns: 64, maxTokens: 500 });
  const tokens = slice.reduce((sum, one) => sum + one.promptIds.length + one.textIds.length, 0);
  assert.ok(tokens <= 500 && tokens > 440, `${tokens}`);
});
