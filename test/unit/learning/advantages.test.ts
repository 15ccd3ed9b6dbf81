import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binaryRl } from '../../../agent-server/learning/binary-rl.ts';
import { combined } from '../../../agent-server/learning/combined.ts';
import { chooseHint, type HybridSettings, hybrid, overlap } from '../../../agent-server/learning/hybrid.ts';
import { opd } from '../../../agent-server/learning/opd.ts';
import type { TopList } from '../../../agent-server/learning/scored.ts';
import { stepAdvantages } from '../../../agent-server/learning/step-reward.ts';
import { plurality } from '../../../agent-server/learning/vote.ts';

const near = (actual: readonly (number | undefined)[] | undefined, expected: readonly number[]): void => {
  assert.equal(actual?.length, expected.length);
  for (const [i, value] of expected.entries()) {
    const got = actual[i] ?? Number.NaN;
    assert.ok(Math.abs(got - value) < 1e-9, `item ${i}: ${got}, not ${value}`);
  }
};
const logs = (...entries: [number, number][]): TopList =>
  entries.map(([p, id]) => [Math.log(p), id] as const);

test('LEARN-1: votes are counted by plurality; ties, no vote and votes that are no score give 0', () => {
  const cases: [(number | null)[], number][] = [
    [[], 0],
    [[null, null], 0],
    [[-1], -1],
    [[1, -1], 0],
    [[1, 1, -1, -1, 0], 0],
    [[1, 1, 0], 1],
    [[7, 7, -1], -1],
    [[null, 1, null], 1],
  ];
  for (const [votes, score] of cases) assert.equal(plurality(votes), score, JSON.stringify(votes));
});

test('LEARN-2: a score of 0 or none makes no binary-rl sample', () => {
  assert.equal(binaryRl(0, 3), null);
  assert.equal(binaryRl(null, 3), null);
  assert.deepEqual(binaryRl(-1, 2), [-1, -1]);
});

test('LEARN-3: combined is null only when there is neither a score nor a teacher', () => {
  const weights = { wOpd: 2, wRl: 0.5 };
  near(combined([-1, -2], [-0.5, -4], -1, weights) ?? undefined, [0.5, -4.5]);
  near(combined([-1, -2], [-0.5, -4], 0, weights) ?? undefined, [1, -4]);
  near(combined([-1, -2], null, 1, weights) ?? undefined, [0.5, 0.5]);
  assert.deepEqual(combined([-1, -2], null, 0, weights), [0, 0]);
  assert.equal(combined([-1, -2], null, null, weights), null);
});

test('a teacher that scored another response is refused', () => {
  assert.throws(() => opd([-1, -2], [-1]), { code: 'batch_invalid' });
});

const settings: HybridSettings = { support: 'union', k: 2, gapClip: 1, wOpd: 1, wRl: 0.5 };

test('LEARN-4: the union support adds the teacher’s own ids; unlisted ids count with the floor, their old logprob is unknown', () => {
  const student = { logprobs: [Math.log(0.5)], top: [logs([0.5, 10], [0.25, 11], [0.125, 12])] };
  const teacher = [logs([0.5, 99], [0.25, 10], [0.125, 50])];
  const support = hybrid([10], student, teacher, -1, settings);
  assert.deepEqual(support?.ids, [[10, 11, 99, 10]]);
  const masses = [(0.5 + 0.25) / 2, (0.25 + 0.125) / 2, (0.125 + 0.5) / 2];
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  const gaps = [Math.log(0.5), Math.log(0.5), 1];
  near(support?.advantages[0], [...gaps.map((gap, j) => (gap * (masses[j] ?? 0)) / total), -0.5]);
  assert.ok(Number.isNaN(support?.logprobs[0]?.[2]));
  near(
    support?.logprobs[0]?.filter((x) => !Number.isNaN(x)),
    [0.5, 0.25, 0.5].map(Math.log),
  );
});

test('LEARN-4: the student support is weighed by pi_old alone; a k over the list takes the whole list', () => {
  const student = { logprobs: [Math.log(0.2)], top: [logs([0.6, 1], [0.2, 2])] };
  const teacher = [logs([0.3, 1], [0.3, 3])];
  const support = hybrid([2], student, teacher, null, { ...settings, support: 'student', k: 9, gapClip: 9 });
  assert.deepEqual(support?.ids, [[1, 2]]);
  near(support?.advantages[0], [Math.log(0.5) * 0.75, Math.log(1.5) * 0.25]);
});

test('hybrid without a hint keeps the score alone, and without either makes no sample', () => {
  const student = { logprobs: [-1, -2], top: [] };
  assert.deepEqual(hybrid([5, 6], student, null, 1, settings), {
    ids: [[5], [6]],
    logprobs: [[-1], [-2]],
    advantages: [[0.5], [0.5]],
  });
  assert.equal(hybrid([5, 6], student, null, 0, settings), null);
});

test('a position for which a model returned no list has no distillation, and a repeated id counts once', () => {
  const student = { logprobs: [-1, -1], top: [[], logs([0.5, 1], [0.4, 1], [0.1, 2])] };
  const teacher = [logs([0.9, 4]), logs([0.5, 2], [0.4, 2], [0.1, 1])];
  assert.deepEqual(hybrid([4, 1], student, teacher, null, settings)?.ids, [[], [1, 2]]);
  assert.equal(overlap(student.top, teacher, 2), 2);
});

test('LEARN-5: the hint with the largest overlap is taken, the first among equals', () => {
  assert.equal(chooseHint([]), null);
  assert.equal(chooseHint([2, 5, 5]), 1);
  assert.equal(chooseHint([0]), 0);
});

test('LEARN-6: step rewards are standardised within group and step; alone or without spread there is none', () => {
  const row = (group: string, step: number, outcome: number, votes: (number | null)[]) => ({
    group,
    step,
    outcome,
    votes,
  });
  const advantages = stepAdvantages([
    row('a', 0, 1, [1, 1, 1]),
    row('a', 1, 1, [1]),
    row('a', 0, -1, []),
    row('b', 0, 0.1, [1, null, 0]),
    row('b', 0, 0.1, [0, 1]),
    row('b', 0, 0.1, [null, 0, 1]),
  ]);
  near([advantages[0] ?? undefined, advantages[2] ?? undefined], [1.5 / (1.5 + 1e-6), -1.5 / (1.5 + 1e-6)]);
  assert.deepEqual([advantages[1], ...advantages.slice(3)], [null, null, null, null]);
  assert.deepEqual(stepAdvantages([]), []);
});
