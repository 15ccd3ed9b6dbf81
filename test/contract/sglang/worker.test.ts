/** A gpu-worker that serves with SGLang: its stand-in answers with the real model, the trainer is the real one. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { suppliedEngine } from '../../../agent-server/engine/supplied-engine.ts';
import { JudgeConfig } from '../../../agent-server/judge/config.ts';
import type { JudgeAnswer } from '../../../agent-server/judge/judge.ts';
import { OpenAiJudge } from '../../../agent-server/judge/openai-judge.ts';
import { sendToWorker } from '../../../agent-server/loops/vote-loop.ts';
import type { WorkerLink } from '../../../agent-server/loops/worker-link.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import type { WeightVersion } from '../../../agent-server/protocol/ids.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { engineReady, linkTo } from '../../fixtures/gpu-worker.ts';
import { descendants, isAlive } from '../../fixtures/process-tree.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { standinEnv } from '../../fixtures/sglang-standin.ts';

const linux = process.platform === 'linux' ? false : 'processes are found in /proc';

suite('gpu-worker with SGLang (stand-in)', { timeout: 300_000 }, () => {
  let home: string;
  let worker: WorkerProcess;
  let link: WorkerLink;
  let engine: Engine;
  let version: WeightVersion;
  let folder: string;
  const signal = AbortSignal.timeout(280_000);

  const promptIds = [1, 504, 4093, 282, 4649, 314, 260, 1234, 2345, 3456, 28, 411, 42, 17, 99, 321, 654, 987];
  const responseIds = [7042, 25, 881, 2];
  const scored = async (of: WeightVersion): Promise<number> =>
    (await engine.score({ promptIds, responseIds, version: of, topLogprobs: 0 }, signal)).logprobs.reduce(
      (sum, logprob) => sum + logprob,
      0,
    );

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-sglang-worker-'));
    const flags = ['--engine', 'sglang', '--judge-model', runtime().model];
    const chosen = { flags, env: standinEnv('embedded') };
    worker = new WorkerProcess({
      home,
      ...runtime(),
      threads: null,
      maxRunning: 4,
      engine: chosen,
      metrics: true,
      log: () => {},
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
    link.close();
    await worker.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('SGLANG-11: a trained version is loaded by its name, from the worker’s own folder, and no path is', async () => {
    const { folder: batch, manifest } = await writeBatch(home, { hyperparameters: { learningRate: 5e-3 } });
    const trained = await link.train(manifest.batchId, batch, signal);
    version = trained.version;
    folder = trained.folder;
    await assert.rejects(new HttpEngine(worker.endpoint).loadAdapter(version, folder, signal), {
      code: 'adapter_invalid',
    });
    await engine.loadAdapter(version, folder, signal);
    const rise = (await scored(version)) - (await scored(manifest.parent));
    assert.ok(rise > 1, `the demonstrated answer's log-probability rose by ${rise}`);
  });

  test('SGLANG-3: killed, it is started again and told of as new, and what it wrote is in the engine’s log', {
    skip: linux,
  }, async () => {
    const before = await scored(version);
    const { status } = link;
    assert.ok(status.connected);
    const back = engineReady(link, status.engineEpoch);
    const [server] = descendants(worker.pid ?? 0).filter(({ command }) => command.includes('foreign_server'));
    process.kill(server?.pid ?? 0, 'SIGKILL');
    await back;
    await engine.loadAdapter(version, folder, signal);
    assert.equal(await scored(version), before);
    assert.match(await readFile(join(home, 'logs', 'engine.log'), 'utf8'), /SGLang: server_args=/);
  });

  test("JUDGE-16: a second server of SGLang answers a judge's chats, on the next GPU, without adapters", async () => {
    const judge = new OpenAiJudge({
      ...JudgeConfig.parse({ kind: 'worker', maxTokens: 16 }),
      ...{ model: basename(runtime().model), place: 'the worker' },
      send: (body, limit) => sendToWorker(worker.endpoint, body, limit),
    });
    const deadlineMs = performance.now() + 120_000;
    let answer: JudgeAnswer | null = null;
    while (answer === null) {
      assert.ok(performance.now() < deadlineMs, 'it is loaded');
      answer = await judge.ask({ system: 'Answer briefly.', user: 'Hello.' }, signal).catch((error) => {
        assert.equal(error.code, 'judge_unavailable');
        return null;
      });
      await delay(100);
    }
    assert.ok(answer.text.length > 0 && (answer.completionTokens ?? 0) > 0);
    const log = await readFile(join(home, 'logs', 'engine.log'), 'utf8');
    const started = /judge: SGLang: server_args=.*/.exec(log)?.[0] ?? '';
    assert.match(started, /--base-gpu-id 1/);
    assert.doesNotMatch(started, /lora/);
  });

  test('SGLANG-12: no process is left when the worker is killed', { skip: linux }, async () => {
    const below = descendants(worker.pid ?? 0);
    assert.ok(below.some(({ command }) => command.includes('sglang')));
    process.kill(worker.pid ?? 0, 'SIGKILL');
    const deadlineMs = performance.now() + 20_000;
    for (const { pid, command } of below) {
      while (isAlive(pid)) {
        assert.ok(performance.now() < deadlineMs, `${command} has ended`);
        await delay(50);
      }
    }
  });
});
