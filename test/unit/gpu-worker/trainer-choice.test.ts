/** Which trainer runs: what is chosen at one end arrives at the other, and what cannot be is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Config, trainerChoice } from '../../../agent-server/config.ts';
import { toFlags } from '../../../agent-server/protocol/trainer-choice.ts';
import { megatronFindings } from '../../../gpu-worker/cli/check-megatron.ts';
import { readOptions } from '../../../gpu-worker/cli/options.ts';

const options = (...flags: string[]) => readOptions(['--home', '/w', ...flags], {});

test('TRAIN-9, TRAIN-12: the trainer is the one that APPRENTICE_TRAINER, config.json or a flag names', () => {
  const plain = Config.parse({});
  const cut = Config.parse({ worker: { trainer: { kind: 'megatron', tensorParallel: 3 } } });
  const full = Config.parse({ worker: { trainer: { kind: 'megatron', weights: 'full' } } });
  const nodes = { count: 2, rendezvous: '/shared/ranks' };
  const spread = Config.parse({ worker: { trainer: { kind: 'megatron', dataParallel: 4, nodes } } });
  const exact = Config.parse({ worker: { trainer: { kind: 'torch', precision: 'float32' } } });
  const megatron = {
    kind: 'megatron',
    tensorParallel: 3,
    pipelineParallel: 1,
    dataParallel: 1,
    weights: 'adapter',
    nodes: null,
  };
  const torch = { kind: 'torch', precision: 'auto' };
  assert.deepEqual(trainerChoice(plain, {}), torch);
  assert.deepEqual(trainerChoice(cut, {}), megatron);
  assert.deepEqual(trainerChoice(cut, { APPRENTICE_TRAINER: 'torch' }), torch);
  assert.deepEqual(trainerChoice(cut, { APPRENTICE_TRAINER: 'megatron' }), megatron, 'the ranks stay');
  assert.deepEqual(trainerChoice(plain, { APPRENTICE_TRAINER: 'megatron' }), {
    ...megatron,
    tensorParallel: 1,
  });
  assert.throws(() => trainerChoice(plain, { APPRENTICE_TRAINER: 'jax' }), { code: 'invalid_request' });
  for (const choice of [plain, cut, full, spread, exact].map((config) => trainerChoice(config, {})))
    assert.deepEqual(options(...toFlags(choice)).trainer, choice);
});

test('TRAIN-9: the torch trainer is one process for adapters, and no number of ranks is none', () => {
  for (const wrong of [
    ['--tensor-parallel', '2'],
    ['--trainer', 'torch', '--pipeline-parallel', '2'],
    ['--data-parallel', '2'],
    ['--trained-weights', 'full'],
    ['--trainer', 'megatron', '--tensor-parallel', '0'],
    ['--trainer', 'jax'],
    ['--trainer', 'megatron', '--precision', 'float32'],
    ['--precision', 'float16'],
    ['--nodes', '2', '--rendezvous', '/r'],
    ['--trainer', 'megatron', '--tensor-parallel', '2', '--nodes', '2'],
    ['--trainer', 'megatron', '--tensor-parallel', '2', '--rendezvous', '/r'],
    ['--trainer', 'megatron', '--tensor-parallel', '3', '--nodes', '2', '--rendezvous', '/r'],
    ['--join', '/r'],
    ['--join', '/r', '--node', '0'],
    ['--node', '1'],
  ])
    assert.throws(() => options(...wrong), { code: 'invalid_request' }, wrong.join(' '));
});

test('CLI-5: --check looks for megatron-core and a GPU for each rank, where that trainer is chosen', () => {
  const device = { name: 'GPU', totalBytes: 1, freeBytes: 1, capability: '9.0' };
  const torch = { version: '2.13.0', cudaBuild: '13.0', cuda: true, threads: 1, devices: [device, device] };
  const probe = (version: string | null) => ({
    python: '3.11.0',
    packages: { 'megatron-core': version },
    torch,
  });
  const found = (version: string | null, ...flags: string[]) =>
    megatronFindings(options('--trainer', 'megatron', ...flags), probe(version));
  assert.deepEqual(megatronFindings(options(), probe(null)), []);
  assert.equal(found(null)[0]?.kind, 'fault');
  assert.notEqual(found(null)[0]?.remedy, '');
  assert.equal(found('0.1.0')[0]?.kind, 'note');
  assert.equal(found('0.16.1', '--tensor-parallel', '2')[0]?.kind, 'ok');
  assert.equal(found('0.16.1', '--tensor-parallel', '2', '--data-parallel', '2')[0]?.kind, 'fault');
  assert.match(found('0.16.1', '--tensor-parallel', '4')[0]?.found ?? '', /4 ranks .* and 2 GPUs/);
  assert.equal(found('0.16.1', '--tensor-parallel', '4', '--device', 'cpu')[0]?.kind, 'ok');
  const nodes = ['--tensor-parallel', '4', '--nodes', '2', '--rendezvous', '/r'];
  assert.equal(found('0.16.1', ...nodes)[0]?.kind, 'ok', 'two GPUs are enough for two of four ranks');
});
