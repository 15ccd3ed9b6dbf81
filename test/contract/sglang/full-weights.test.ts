/** Versions that are all weights, from trainer to engine: Megatron trains them, a stand-in of SGLang is given each. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Engine } from '../../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { suppliedEngine } from '../../../agent-server/engine/supplied-engine.ts';
import type { WorkerLink } from '../../../agent-server/loops/worker-link.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import { BASE_VERSION, loraPath, type WeightVersion } from '../../../agent-server/protocol/ids.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { engineReady, linkTo } from '../../fixtures/gpu-worker.ts';
import { megatron } from '../../fixtures/megatron.ts';
import { descendants } from '../../fixtures/process-tree.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { standinEnv } from '../../fixtures/sglang-standin.ts';
import { writeTinyModel } from '../../fixtures/tiny-model.ts';

const PROMPT = [1, 504, 4093, 282, 4649, 314, 260, 1234, 2345, 3456, 28, 411, 42, 17, 99, 321, 654, 987];
const RESPONSE = [7042, 25, 881, 2];

suite('all weights, with SGLang (stand-in)', { timeout: 400_000 }, () => {
  let home: string;
  let worker: WorkerProcess;
  let link: WorkerLink;
  let engine: Engine;
  const signal = AbortSignal.timeout(380_000);
  const made: WeightVersion[] = [];

  const scored = async (version: WeightVersion): Promise<number> => {
    const { logprobs } = await engine.score(
      { promptIds: PROMPT, responseIds: RESPONSE, version, topLogprobs: 0 },
      signal,
    );
    return logprobs.reduce((sum, logprob) => sum + logprob, 0);
  };
  const load = (version: WeightVersion) =>
    engine.loadAdapter(version, join(home, 'adapters', version), signal);
  const metric = async (name: string): Promise<number> => {
    const { url, key } = worker.endpoint();
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` }, signal });
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(await answer.text())?.[1]);
  };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-full-'));
    const model = join(home, 'tiny-model');
    await writeTinyModel(model);
    worker = new WorkerProcess({
      home,
      model,
      python: runtime().python,
      threads: null,
      maxRunning: 4,
      engine: { flags: ['--engine', 'sglang'], env: standinEnv('embedded') },
      trainer: megatron({ weights: 'full' }),
      metrics: true,
      log: () => {},
    });
    link = linkTo(worker.endpoint, home);
    engine = suppliedEngine(new HttpEngine(worker.endpoint), (one, limit) => link.supply(one, limit));
    worker.onChange((endpoint) => {
      if (endpoint) link.connect();
    });
    const ready = engineReady(link, null);
    worker.start();
    await ready;
  });
  after(async () => {
    link.close();
    await worker.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('FULL-1: a version of all weights is trained, stays with the worker, and answers under its name', async () => {
    const before = await scored(BASE_VERSION);
    for (const number of [1, 2]) {
      const batch = await writeBatch(home, { number, hyperparameters: { learningRate: 1e-2 } });
      const trained = await link.train(batch.manifest.batchId, batch.folder, signal);
      made.push(trained.version);
      assert.deepEqual(await readdir(trained.folder), ['lineage.json']);
    }
    const [first, second] = made;
    assert.ok(first !== undefined && second !== undefined);
    await load(first);
    const learnt = await scored(first);
    assert.ok(learnt > before + 1, `the demonstrated answer's log-probability rose by ${learnt - before}`);
    await load(second);
    assert.ok((await scored(second)) > learnt);
    assert.equal(await scored(first), learnt, 'it is gone back to');
    assert.equal(await scored(BASE_VERSION), before, 'and so is the base');
  });

  test('FULL-2: a request keeps its weights to its end, and one for others waits instead of failing', async () => {
    const [first] = made;
    assert.ok(first !== undefined);
    const changes = await metric('apprentice_engine_weight_changes_total');
    const order: string[] = [];
    const answered = async (version: WeightVersion, tokens: number) => {
      const request = {
        input_ids: PROMPT,
        sampling_params: { max_new_tokens: tokens, temperature: 0, ignore_eos: true },
        lora_path: loraPath(version),
      };
      for await (const answer of engine.generate(request, signal)) {
        assert.equal(answer.meta_info.weight_version, version);
        if (answer.meta_info.finish_reason !== null) order.push(version);
        else if (!order.includes('begun')) order.push('begun');
      }
    };
    const long = answered(first, 200);
    while (order.length === 0) await new Promise(setImmediate);
    await Promise.all([long, answered(BASE_VERSION, 2), answered(BASE_VERSION, 3)]);
    assert.deepEqual(order, ['begun', first, BASE_VERSION, BASE_VERSION]);
    const since = (await metric('apprentice_engine_weight_changes_total')) - changes;
    assert.equal(since, 2, 'to the version, and once back for both');
    const last = await metric('apprentice_engine_weight_pause_seconds');
    const all = await metric('apprentice_engine_weight_pause_seconds_total');
    assert.ok(last > 0 && all > last, `${last} of ${all} s`);
  });

  test('FULL-3: an engine that was killed has them again as soon as they are loaded', {
    skip: process.platform === 'linux' ? false : 'processes are found in /proc',
  }, async () => {
    const [first] = made;
    assert.ok(first !== undefined);
    const before = await scored(first);
    const { status } = link;
    assert.ok(status.connected);
    const back = engineReady(link, status.engineEpoch);
    const [server] = descendants(worker.pid ?? 0).filter(({ command }) => command.includes('foreign_server'));
    process.kill(server?.pid ?? 0, 'SIGKILL');
    await back;
    await assert.rejects(scored(first), { code: 'adapter_not_loaded' });
    await load(first);
    assert.equal(await scored(first), before);
  });
});
