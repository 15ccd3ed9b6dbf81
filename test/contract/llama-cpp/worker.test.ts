/** A gpu-worker that serves with llama.cpp: the trainer is the real one, the model a tiny one. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { suppliedEngine } from '../../../agent-server/engine/supplied-engine.ts';
import type { WorkerLink } from '../../../agent-server/loops/worker-link.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import type { WeightVersion } from '../../../agent-server/protocol/ids.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { engineReady, linkTo } from '../../fixtures/gpu-worker.ts';
import { CONTEXT, llamaCppFolder } from '../../fixtures/llama-cpp.ts';
import { descendants, isAlive } from '../../fixtures/process-tree.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { writeTinyModel } from '../../fixtures/tiny-model.ts';

const linux = process.platform === 'linux' ? false : 'processes are found in /proc';
const found = await llamaCppFolder();
const missing = found.kind === 'missing' ? `llama.cpp is not here: ${found.why}` : false;

suite('gpu-worker with llama.cpp', { timeout: 300_000, skip: missing }, () => {
  let home: string;
  let worker: WorkerProcess;
  let link: WorkerLink;
  let engine: Engine;
  const signal = AbortSignal.timeout(280_000);
  const promptIds = [1, 504, 4093, 282, 4649, 314, 260, 1234, 2345, 3456, 28, 411, 42, 17, 99, 321, 654, 987];
  const responseIds = [7042, 25, 881, 2];
  const scored = async (version: WeightVersion): Promise<number> =>
    (await engine.score({ promptIds, responseIds, version, topLogprobs: 0 }, signal)).logprobs.reduce(
      (sum, logprob) => sum + logprob,
      0,
    );

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-llama-cpp-worker-'));
    const model = join(home, 'model');
    await writeTinyModel(model);
    const place = found.kind === 'here' ? found.path : '';
    const flags = ['--engine', 'llama-cpp', '--llama-cpp', place, '--context', String(CONTEXT)];
    worker = new WorkerProcess({
      ...{ home, model, python: runtime().python, threads: 1, maxRunning: 4, log: () => {} },
      engine: { flags, env: {} },
    });
    link = linkTo(worker.endpoint, home);
    engine = suppliedEngine(new HttpEngine(worker.endpoint), (one, limit) => link.supply(one, limit));
    const ready = engineReady(link, null);
    worker.onChange((endpoint) => {
      if (endpoint) link.connect();
    });
    worker.start();
    await ready;
  });
  after(async () => {
    link?.close();
    await worker?.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('LLAMA-7: a version that the trainer made is loaded by its name and answers as it was taught', async () => {
    const { folder: batch, manifest } = await writeBatch(home, { hyperparameters: { learningRate: 5e-2 } });
    const { version, folder } = await link.train(manifest.batchId, batch, signal);
    const before = await scored(manifest.parent);
    await engine.loadAdapter(version, folder, signal);
    const rise = (await scored(version)) - before;
    assert.ok(rise > 0.5, `the demonstrated answer's log-probability rose by ${rise}`);
    assert.equal(await scored(manifest.parent), before);
    await engine.unloadAdapter(version, signal);
  });

  test('LLAMA-2: it takes as many tokens as it was told, and made its file once', async () => {
    assert.equal((await engine.tokenizerFiles(signal)).contextLength, CONTEXT);
    const log = await readFile(join(home, 'logs', 'engine.log'), 'utf8');
    assert.equal(log.match(/Making .*\.gguf/g)?.length, 1);
  });

  test('LLAMA-9: no process is left when the worker is killed', { skip: linux }, async () => {
    const below = descendants(worker.pid ?? 0);
    assert.ok(below.some(({ command }) => command.includes('llama-cpp')));
    process.kill(worker.pid ?? 0, 'SIGKILL');
    const deadlineMs = performance.now() + 20_000;
    for (const { pid, command } of below)
      while (isAlive(pid)) {
        assert.ok(performance.now() < deadlineMs, `${command} has ended`);
        await delay(50);
      }
  });
});
