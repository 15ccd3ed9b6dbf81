/** The real worker, end to end: a batch goes over the link, its version is published, loaded and answers. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Engine } from '../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../agent-server/engine/http-engine.ts';
import { suppliedEngine } from '../../agent-server/engine/supplied-engine.ts';
import type { WorkerLink } from '../../agent-server/loops/worker-link.ts';
import { WorkerProcess } from '../../agent-server/loops/worker-process.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { writeBatch } from '../fixtures/batches.ts';
import { linkTo } from '../fixtures/gpu-worker.ts';
import { runtime } from '../fixtures/runtime.ts';

suite('gpu-worker with the real model', { timeout: 300_000 }, () => {
  let home: string;
  let worker: WorkerProcess;
  let link: WorkerLink;
  let engine: Engine;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-worker-'));
    worker = new WorkerProcess({ home, ...runtime(), threads: null, maxRunning: 4, log: () => {} });
    link = linkTo(worker.endpoint, home);
    engine = suppliedEngine(new HttpEngine(worker.endpoint), (version, signal) =>
      link.supply(version, signal),
    );
    const engineReady = new Promise<void>((resolve) => {
      link.onStatus((status) => {
        if (status.connected && status.engine.state === 'ready') resolve();
      });
    });
    worker.onChange((endpoint) => {
      if (endpoint) link.connect();
    });
    worker.start();
    await engineReady;
  });
  after(async () => {
    link.close();
    await worker.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('WORK-1: a trained version is loaded by name and moves the log-probabilities it was trained on', async () => {
    const signal = AbortSignal.timeout(240_000);
    const { folder, manifest } = await writeBatch(home, { hyperparameters: { learningRate: 5e-3 } });
    const trained = await link.train(manifest.batchId, folder, signal);
    assert.equal(trained.version, manifest.version);
    assert.ok((await readdir(join(home, 'adapters'))).includes(manifest.version));
    await engine.loadAdapter(trained.version, trained.folder, signal);

    const promptIds = [
      1, 504, 4093, 282, 4649, 314, 260, 1234, 2345, 3456, 28, 411, 42, 17, 99, 321, 654, 987,
    ];
    const responseIds = [7042, 25, 881, 2];
    const score = async (version: typeof manifest.version) =>
      (await engine.score({ promptIds, responseIds, version, topLogprobs: 0 }, signal)).logprobs.reduce(
        (sum, logprob) => sum + logprob,
        0,
      );
    const rise = (await score(manifest.version)) - (await score(manifest.parent));
    assert.ok(rise > 1, `the demonstrated answer's log-probability rose by ${rise}`);
    // The step the trainer reports is the one the engine serves: both read the first sample.
    assert.ok(trained.metrics.logprobFall < 0);
  });

  test('WORK-2: weights that were changed in the worker are replaced by those that are kept; changed there too, they are not loaded', async () => {
    const signal = AbortSignal.timeout(240_000);
    const { folder, manifest } = await writeBatch(home, { number: 2 });
    const { version, folder: kept } = await link.train(manifest.batchId, folder, signal);
    const weights = 'adapter_model.safetensors';
    const own = join(home, 'worker', 'adapters', version, weights);
    await appendFile(own, 'x');
    await appendFile(join(kept, weights), 'x');
    await assert.rejects(
      engine.loadAdapter(version, kept, signal),
      (error) => error instanceof ApprenticeError && error.code === 'adapter_invalid',
    );
    const { size } = await stat(own);
    await truncate(join(kept, weights), size - 1);
    await engine.loadAdapter(version, kept, signal);
    assert.equal((await stat(own)).size, size - 1);
  });

  test('WORK-3: a worker killed in the middle of training comes back and makes the version once', async () => {
    const signal = AbortSignal.timeout(240_000);
    const { folder, manifest } = await writeBatch(home, { number: 3 });
    const killed = new Promise<void>((resolve) => {
      const stop = link.onProgress(({ phase }) => {
        if (phase !== 'training' || worker.pid === null) return;
        process.kill(worker.pid, 'SIGKILL');
        stop();
        resolve();
      });
    });
    const training = link.train(manifest.batchId, folder, signal);
    await killed;
    assert.equal((await training).version, manifest.version);
    for (const adapters of [join(home, 'adapters'), join(home, 'worker', 'adapters')])
      assert.deepEqual((await readdir(adapters)).filter((name) => name.startsWith('policy')).sort(), [
        'policy@v1',
        'policy@v2',
        'policy@v3',
      ]);
  });
});
