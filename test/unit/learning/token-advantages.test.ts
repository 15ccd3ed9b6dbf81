/** What a batch tells of each token, read back out of the very tensors that the trainer gets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBatch } from '../../../agent-server/learning/batch.ts';
import type { TrainRow } from '../../../agent-server/learning/rows.ts';
import { tokenAdvantages } from '../../../agent-server/learning/token-advantages.ts';
import { newSampleId } from '../../fixtures/records.ts';

const unknown = Number.NaN;

test('PANEL-6: each token has its own advantage, summed over the terms, and the best of the others', () => {
  const response: TrainRow = {
    role: 'response',
    promptIds: [1, 2],
    responseIds: [10, 11, 12],
    support: {
      // 10 stands twice: once by the hint, once by the score. 11 is not in its own support.
      ids: [[10, 20, 21, 10], [22], [12]],
      logprobs: [[-1, -2, unknown, -1], [-1], [-1]],
      advantages: [[-0.5, 0.25, 0.125, -1], [0.5], [1]],
    },
    oldLogprobs: [-1, -1, -1],
    behaviourLogprobs: [-1, -1, -1],
    lossMask: [1, 1, 0],
    ceWeights: [0, 0, 0],
  };
  const demonstration: TrainRow = {
    role: 'demonstration',
    promptIds: [1],
    responseIds: [30],
    support: { ids: [[]], logprobs: [[]], advantages: [[]] },
    oldLogprobs: [unknown],
    behaviourLogprobs: [unknown],
    lossMask: [1],
    ceWeights: [1],
  };
  const label = { sampleId: newSampleId(), origin: 'new' as const };
  const rows = [
    { ...label, role: 'response' as const },
    { ...label, role: 'demonstration' as const },
  ];
  assert.deepEqual(tokenAdvantages({ rows }, encodeBatch([response, demonstration])), [
    {
      row: 0,
      tokens: [
        { id: 10, advantage: -1.5, weight: 0, other: { id: 20, advantage: 0.25 } },
        { id: 11, advantage: null, weight: 0, other: { id: 22, advantage: 0.5 } },
        { id: 12, advantage: null, weight: 0, other: null },
      ],
    },
    { row: 1, tokens: [{ id: 30, advantage: null, weight: 1, other: null }] },
  ]);
});
