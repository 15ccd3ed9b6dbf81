import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anchorRow } from '../../../agent-server/learning/anchor.ts';
import { ANCHOR_PROMPTS } from '../../../agent-server/learning/anchor-prompts.ts';
import { encodeBatch } from '../../../agent-server/learning/batch.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { permutation, seededRandom, seedOf } from '../../../agent-server/learning/random.ts';
import { pickReplay } from '../../../agent-server/learning/replay.ts';
import { needsOf, rowsOfSample, type SampleParts } from '../../../agent-server/learning/sample-rows.ts';
import { decodeSafetensors, encodeSafetensors } from '../../../agent-server/learning/tensors.ts';

const config = LearningConfig.parse({ method: 'hybrid-union+demonstration' });
const settings = (over: Partial<LearningConfig>): LearningConfig => ({ ...config, ...over });
const random = () => seededRandom(7);

const corrected: SampleParts = {
  score: -1,
  hint: { kind: 'rewrite' },
  promptIds: [1, 2],
  responseIds: [10, 11, 12],
  behaviourLogprobs: [-1, -2, Number.NaN],
  student: {
    logprobs: [-0.5, -0.5, -0.5],
    top: [10, 11, 12].map((id) => [[-0.5, id] as const, [-3, id + 50] as const]),
  },
  teacher: {
    logprobs: [-4, -0.1, -2],
    top: [20, 11, 22].map((id) => [[-0.2, id] as const, [-2, id + 70] as const]),
  },
  rewriteIds: [30, 31, 32, 33, 2],
  without: new Set(),
};

test('LEARN-7: a method asks for the scores that its rows need, and for nothing else', () => {
  const judged = (score: 1 | 0 | -1 | null, kind: 'rewrite' | 'words' | null) => ({
    score,
    hint: kind === null ? null : { kind },
  });
  const needs = (method: LearningConfig['method'], of: ReturnType<typeof judged>) =>
    needsOf(settings({ method }), of);
  const rewritten = judged(-1, 'rewrite');
  assert.deepEqual(needs('demonstration', rewritten), {
    student: false,
    teacher: false,
    topLogprobs: 0,
    rewrite: true,
  });
  assert.deepEqual(needs('hybrid-union+demonstration', rewritten), {
    student: true,
    teacher: true,
    topLogprobs: 32,
    rewrite: true,
  });
  assert.equal(needs('hybrid-union', judged(-1, null))?.teacher, false);
  assert.equal(needs('hybrid-union+demonstration', judged(-1, 'words'))?.rewrite, false);
  assert.equal(needs('demonstration', judged(-1, 'words')), null);
  assert.equal(needs('binary-rl', judged(0, 'rewrite')), null);
  assert.equal(needs('opd', judged(-1, null)), null);
  assert.equal(needs('combined', judged(0, null)), null);
  assert.deepEqual(
    needsOf(config, judged(null, 'words'), new Set(['teacher'] as const)),
    null,
    'a refused teacher leaves nothing without a score',
  );
});

test('LEARN-8: each method gives its own rows for a corrected turn', () => {
  const roles = (method: LearningConfig['method']) =>
    rowsOfSample(settings({ method }), corrected, random()).map((row) => row.role);
  assert.deepEqual(roles('demonstration'), ['demonstration']);
  assert.deepEqual(roles('hybrid-union'), ['response']);
  assert.deepEqual(roles('hybrid-union+demonstration'), ['response', 'demonstration']);
  const [row] = rowsOfSample(settings({ method: 'binary-rl' }), corrected, random());
  assert.deepEqual(row?.support.advantages, [[-1], [-1], [-1]]);
  const [distilled] = rowsOfSample(settings({ method: 'opd' }), corrected, random());
  assert.deepEqual(distilled?.support.advantages, [[-3.5], [0.4], [-1.5]]);
});

test('LEARN-13: by-kind takes the most that is known: the rewrite, else a teacher, else the score', () => {
  const rows = (over: Partial<SampleParts>) =>
    rowsOfSample(settings({ method: 'by-kind' }), { ...corrected, ...over }, random());
  const words = { hint: { kind: 'words' } } as const;
  assert.deepEqual(
    rows({}).map((row) => row.role),
    ['demonstration'],
  );
  const [taught] = rows(words);
  assert.deepEqual(taught?.support.ids[0], [10, 60, 20, 90, 10]);
  const scoreAlone = { ids: [[10], [11], [12]], advantages: [[-1], [-1], [-1]] };
  for (const over of [{ hint: null }, { ...words, without: new Set(['teacher'] as const) }]) {
    const [row] = rows(over);
    assert.deepEqual({ ids: row?.support.ids, advantages: row?.support.advantages }, scoreAlone);
  }
  assert.deepEqual(rows({ score: 0, hint: null }), []);
});

test('LEARN-14: a degenerate answer has no row of its own; the rewrite of it is still learnt', () => {
  const without = new Set(['response'] as const);
  const roles = (over: Partial<SampleParts>) =>
    rowsOfSample(config, { ...corrected, without, ...over }, random()).map((row) => row.role);
  assert.deepEqual(roles({}), ['demonstration']);
  assert.deepEqual(roles({ hint: { kind: 'words' } }), []);
  assert.deepEqual(roles({ hint: null }), []);
});

test('LEARN-15: a score of -1 alone stops pushing a token that has lost the clip’s share; one with a teacher does not', () => {
  const moved = { behaviourLogprobs: [-0.5, -0.2, Number.NaN], hint: null } as const;
  const pushed = (over: Partial<SampleParts>, method: LearningConfig['method']) =>
    rowsOfSample(settings({ method }), { ...corrected, ...moved, ...over }, random()).map((row) =>
      row.support.advantages.map(([advantage]) => advantage),
    );
  assert.deepEqual(pushed({}, 'binary-rl'), [[-1, 0, -1]]);
  assert.deepEqual(pushed({}, 'hybrid-union'), [[-1, 0, -1]]);
  assert.deepEqual(pushed({ score: 1 }, 'binary-rl'), [[1, 1, 1]]);
  assert.deepEqual(pushed({ hint: { kind: 'words' } }, 'combined'), [[-4.5, -0.6, -2.5]]);
  // Nothing is left to push: no row, rather than one that only thins out the others.
  assert.deepEqual(pushed({ behaviourLogprobs: [0, 0, 0] }, 'binary-rl'), []);
});

test('a sample without what its method needs is refused, not trained as something else', () => {
  assert.throws(() => rowsOfSample(config, { ...corrected, teacher: null }, random()), {
    code: 'batch_invalid',
  });
  assert.throws(() => rowsOfSample(config, { ...corrected, rewriteIds: null }, random()), {
    code: 'batch_invalid',
  });
});

test('LEARN-9: the control keeps every id and every advantage and moves all of them about', () => {
  const [response, demonstration] = rowsOfSample(config, corrected, random());
  const [moved, shuffled] = rowsOfSample(settings({ arm: 'control' }), corrected, random());
  assert.ok(response && demonstration && moved && shuffled);
  const pairs = (row: typeof response) =>
    row.support.ids.map((ids, t) => JSON.stringify([ids, row.support.advantages[t]]));
  assert.notDeepEqual(pairs(moved), pairs(response));
  assert.deepEqual(pairs(moved).sort(), pairs(response).sort());
  assert.ok(moved.support.logprobs.flat().every(Number.isNaN));
  assert.deepEqual(moved.responseIds, response.responseIds);
  assert.notDeepEqual(shuffled.responseIds, demonstration.responseIds);
  assert.deepEqual(shuffled.responseIds.toSorted(), demonstration.responseIds.toSorted());
  assert.deepEqual(rowsOfSample(settings({ arm: 'control' }), corrected, random()), [moved, shuffled]);
});

test('permutations are seeded and reach the last place too', () => {
  const lasts = new Set<number | undefined>();
  for (let seed = 0; seed < 50; seed += 1) {
    const order = permutation(5, seededRandom(seedOf(`sample ${seed}`)));
    assert.deepEqual(order.toSorted(), [0, 1, 2, 3, 4]);
    lasts.add(order[4]);
  }
  assert.equal(lasts.size, 5);
});

test('LEARN-10: an anchor raises the base’s ids by their own probability; nothing is known of the policy', () => {
  const anchor = {
    promptIds: [1],
    responseIds: [5],
    baseTop: [[[Math.log(0.5), 5] as const, [Math.log(0.25), 6] as const]],
  };
  const row = anchorRow(anchor, 2);
  assert.deepEqual(row.support.ids, [[5, 6]]);
  assert.deepEqual(row.support.advantages, [[1, 0.5]]);
  assert.ok([...row.support.logprobs.flat(), ...row.oldLogprobs].every(Number.isNaN));
  assert.ok(ANCHOR_PROMPTS.every((prompt) => !/\b(?:commit|git|diff)\b/i.test(prompt)));
});

test('LEARN-11: replay takes the newest and a spread of the older, each once', () => {
  const earlier = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual(pickReplay(earlier, 4), [0, 1, 6, 15]);
  assert.deepEqual(pickReplay([1, 2], 4), [1, 2]);
  assert.deepEqual(pickReplay(earlier, 0), []);
  for (let n = 0; n <= 20; n += 1) {
    for (let count = 0; count <= n; count += 1) {
      assert.equal(new Set(pickReplay(earlier.slice(0, n), count)).size, count, `${count} of ${n}`);
    }
  }
});

test('LEARN-12: a batch is the ten tensors of the trainer contract', () => {
  const anchor = anchorRow({ promptIds: [7], responseIds: [5], baseTop: [[[0, 5]]] }, 2);
  const rows = [...rowsOfSample(config, corrected, random()), anchor];
  // A Buffer, as readFile gives: a view at any offset into a larger one.
  const tensors = decodeSafetensors(Buffer.from(encodeBatch(rows)));
  const numbers = (name: string) => Array.from(tensors.get(name)?.data ?? [], Number);
  assert.deepEqual(numbers('tokens'), [1, 2, 10, 11, 12, 1, 2, 30, 31, 32, 33, 2, 7, 5]);
  assert.deepEqual(numbers('sample_offsets'), [0, 5, 12, 14]);
  assert.deepEqual(numbers('response_starts'), [2, 7, 13]);
  const shapes = Object.fromEntries(
    [...tensors].map(([name, { dtype, shape }]) => [name, `${dtype}[${shape}]`]),
  );
  assert.deepEqual(shapes, {
    tokens: 'I32[14]',
    sample_offsets: 'I64[4]',
    response_starts: 'I64[3]',
    support_ids: 'I32[9,5]',
    support_logprobs: 'F32[9,5]',
    support_advantages: 'F32[9,5]',
    old_logprobs: 'F32[9]',
    behaviour_logprobs: 'F32[9]',
    loss_mask: 'U8[9]',
    ce_weights: 'F32[9]',
  });
  assert.deepEqual(numbers('support_ids').slice(0, 10), [10, 60, 20, 90, 10, 11, 61, 81, 11, -1]);
  assert.deepEqual(numbers('ce_weights'), [0, 0, 0, 1, 1, 1, 1, 1, 0]);
  assert.ok(Number.isNaN(numbers('old_logprobs').at(-1)));
});

test('a batch that no trainer could read is refused before it is written', () => {
  const [row] = rowsOfSample(config, corrected, random());
  assert.ok(row);
  for (const bad of [
    { ...row, promptIds: [] },
    { ...row, oldLogprobs: [0] },
    { ...row, support: { ...row.support, advantages: [[], [], []] } },
    { ...row, ceWeights: [0, Number.NaN, 0] },
  ]) {
    assert.throws(() => encodeBatch([bad]), { code: 'batch_invalid' });
  }
  assert.throws(() => encodeBatch([]), { code: 'batch_invalid' });
});

test('a torn safetensors file is refused', () => {
  const whole = encodeSafetensors({ x: { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } });
  for (const bytes of [whole.slice(0, 4), whole.slice(0, 20), whole.slice(0, -1)]) {
    assert.throws(() => decodeSafetensors(bytes), { code: 'batch_invalid' });
  }
});
