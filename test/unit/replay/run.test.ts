/** REPLAY-8: the newest commits are held out, and each run has a fresh folder of its own. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readOptions } from '../../../agent-server/environment/replay/options.ts';
import { planReplay } from '../../../agent-server/environment/replay/run.ts';
import { newRunFolder } from '../../../agent-server/environment/replay/run-folder.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

const never = new AbortController().signal;
let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'apprentice-run-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('REPLAY-8 without a history of its own a clone replays the sample: 24 to learn, then the newest 12', async () => {
  const { training, heldOut, history } = await planReplay(readOptions([], '/'), folder, never);
  assert.equal(history.repositoryRoot, join(folder, '.apprentice', 'sample-repository'));
  assert.deepEqual([training.length, heldOut.length], [24, 12]);
  assert.equal(heldOut.at(-1)?.message, 'chore(ci): check the formatting');
  const learnt = new Set(training.map(({ sha }) => sha));
  assert.ok(heldOut.every(({ sha }) => !learnt.has(sha)));
  assert.equal(heldOut[0]?.parents.length, 1);
});

test('REPLAY-8 a history too short to hold anything out is refused', async () => {
  const sample = join(folder, '.apprentice', 'sample-repository');
  const options = readOptions(['--repo', sample, '--test', '200'], '/');
  await assert.rejects(planReplay(options, folder, never), (error) => {
    assert.ok(error instanceof ApprenticeError);
    return error.code === 'invalid_request' && error.remedy.includes('--test');
  });
});

test('REPLAY-8 three runs are kept, and nothing but runs is removed', async () => {
  const runs = join(folder, 'runs');
  const day = (date: number): number => Date.parse(`2026-01-0${date}T10:00:00Z`);
  await newRunFolder(join(runs, 'not-a-run'), day(1));
  for (const date of [1, 2, 3, 4]) await newRunFolder(runs, day(date));
  assert.equal(await newRunFolder(runs, day(4)), join(runs, '20260104-100000-1'));
  assert.deepEqual((await readdir(runs)).sort(), [
    '20260103-100000',
    '20260104-100000',
    '20260104-100000-1',
    'not-a-run',
  ]);
});
