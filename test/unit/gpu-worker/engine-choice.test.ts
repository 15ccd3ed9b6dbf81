/** Which engine a worker runs: what the agent-server is told, by settings and files, arrives at the worker. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { Config } from '../../../agent-server/config.ts';
import { chosenEngine, type EngineConfig, engineArguments } from '../../../agent-server/engine/config.ts';
import {
  ENGINE_FLAGS,
  type EngineChoice,
  readEngineChoice,
  readJudgeChoice,
} from '../../../gpu-worker/engine/choice.ts';
import { runWorker } from '../../../gpu-worker/run-worker.ts';
import { megatron } from '../../fixtures/megatron.ts';

/** From `worker.engine` of a config.json through the worker's command line. */
function arrives(engine: unknown, env: NodeJS.ProcessEnv = {}): EngineChoice {
  const { worker } = Config.parse({ worker: engine === undefined ? {} : { engine } });
  assert.equal(worker.kind, 'local');
  const chosen: EngineConfig = chosenEngine(
    worker.kind === 'local' ? worker.engine : { kind: 'embedded' },
    env,
  );
  const told = engineArguments(chosen, null, '/home/runtime/llama-cpp');
  const { values } = parseArgs({ args: told.flags, options: ENGINE_FLAGS });
  return readEngineChoice(values, { ...told.env, ...env });
}

test('SGLANG-13: what config.json says of the engine is what the worker runs, to every field', () => {
  assert.deepEqual(arrives(undefined), { kind: 'embedded' });
  const sglang = { kind: 'sglang', python: '/opt/sglang/bin/python', count: 2, gpusEach: 4, maxLoraRank: 32 };
  const rest = {
    seed: 7,
    deterministic: true,
    args: '--mem-fraction-static 0.7',
    maxAdapters: 5,
    routerPython: '/r',
  };
  assert.deepEqual(arrives({ ...sglang, ...rest }), {
    ...sglang,
    ...{ firstGpu: 0, seed: 7, determinism: 'batch-invariant', extra: ['--mem-fraction-static', '0.7'] },
    ...{ maxAdapters: 5, routerPython: '/r' },
  });
  const url = {
    kind: 'url',
    urls: ['http://127.0.0.1:30000/', 'https://gpu.example'],
    key: 'k',
    adminKey: 'a',
  };
  assert.deepEqual(arrives(url), {
    ...url,
    ...{ urls: ['http://127.0.0.1:30000', 'https://gpu.example'], maxAdapters: 8, routerPython: null },
  });
});

test('LLAMA-1: what config.json and the settings say of llama.cpp arrives, and without them what the set-up made', () => {
  const kind = 'llama-cpp';
  const plain = { kind, gguf: null, folder: '/home/runtime/llama-cpp', context: 8192 };
  assert.deepEqual(arrives(kind), plain);
  const whole = { kind, gguf: '/m/model-q4_k_m.gguf', folder: '/opt/llama-cpp', context: 4096 };
  assert.deepEqual(arrives(whole), whole);
  const set = { APPRENTICE_ENGINE: kind, APPRENTICE_GGUF: '/n/model.gguf' };
  assert.deepEqual(arrives(undefined, set), { ...plain, gguf: '/n/model.gguf' });
  assert.deepEqual(arrives(whole, set), { ...whole, gguf: '/n/model.gguf' });
  assert.throws(() => readEngineChoice({ gguf: '/m.gguf' }, {}), { message: /--engine llama-cpp/ });
});

test('SGLANG-13: the environment, which the settings fill, wins, and the file completes it', () => {
  const attached = arrives(undefined, {
    APPRENTICE_ENGINE: 'url',
    APPRENTICE_ENGINE_URL: 'http://127.0.0.1:30000',
    APPRENTICE_ENGINE_KEY: 'k',
  });
  assert.ok(attached.kind === 'url' && attached.urls[0] === 'http://127.0.0.1:30000' && attached.key === 'k');
  const two = arrives({ kind: 'sglang', count: 2 }, { APPRENTICE_ENGINE: 'sglang' });
  assert.ok(two.kind === 'sglang' && two.count === 2);
  for (const env of [{ APPRENTICE_ENGINE: 'vllm' }, { APPRENTICE_ENGINE: 'url' }])
    assert.throws(() => arrives(undefined, env), { code: 'invalid_request' });
});

test('SGLANG-13: flags that contradict one another are refused by name', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ engine: 'url' }, /--engine-url/],
    [{ engine: 'sglang', 'engine-url': ['http://127.0.0.1:1'] }, /--engine url/],
    [{ engine: 'url', 'engine-url': ['ftp://x'] }, /engine-url/],
    [{ engine: 'sglang', engines: '0' }, /engines/],
  ];
  for (const [values, message] of cases)
    assert.throws(() => readEngineChoice(values, {}), { code: 'invalid_request', message });
});

test('JUDGE-16: a second model has an engine of its own, on GPUs behind those of the first', () => {
  assert.equal(readJudgeChoice({}, {}), null);
  const { flags } = engineArguments({ kind: 'embedded' }, '/models/judge', '/none');
  const { values } = parseArgs({ args: flags, options: ENGINE_FLAGS });
  assert.deepEqual(readJudgeChoice(values, {}), { model: '/models/judge', engine: { kind: 'embedded' } });
  const judge = readJudgeChoice(
    { engine: 'sglang', engines: '2', 'gpus-per-engine': '3', 'judge-model': '/j', 'judge-gpus': '2' },
    {},
  );
  assert.ok(judge?.engine.kind === 'sglang');
  const { count, gpusEach, firstGpu, maxAdapters } = judge.engine;
  assert.deepEqual([count, gpusEach, firstGpu, maxAdapters], [1, 2, 6, 0]);
});

test('LLAMA-8: a worker that trains all weights is refused llama.cpp before anything starts', async () => {
  const home = await mkdtemp(join(tmpdir(), 'apprentice-choice-'));
  try {
    const refused = runWorker({
      ...{ home, logs: home, model: '/models/none', python: 'python3', key: 'k', judge: null },
      engine: { kind: 'llama-cpp', gguf: null, folder: null, context: 1024 },
      trainer: megatron({ weights: 'full' }),
      ...{ threads: null, maxRunning: 1, device: 'cpu', host: '127.0.0.1', port: 0, tls: null, hosts: [] },
      metrics: 'off',
    });
    await assert.rejects(refused, { code: 'invalid_request', message: /llama\.cpp/ });
  } finally {
    await rm(home, { recursive: true });
  }
});
