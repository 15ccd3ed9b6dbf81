/** Servers of SGLang that run already: attached to by their URL, and noticed when they are started again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from '../../fixtures/runtime.ts';
import { type StartedEngine, startChosenEngine } from '../../fixtures/sglang-engine.ts';
import { standinEnv, writeFakeModel } from '../../fixtures/sglang-standin.ts';
import { collect } from '../engine-assertions.ts';
import { EngineClient } from '../engine-client.ts';

const never = new AbortController().signal;

describe('SGLang that runs already', { timeout: 60_000 }, () => {
  let folder: string;
  let model: string;
  let port: number;
  let server: ChildProcess;
  let started: StartedEngine;
  const adminHeaders = { authorization: 'Bearer admin', 'content-type': 'application/json' };

  /** Whole answers in every event, as it does unless it is told otherwise. */
  const serve = async (): Promise<void> => {
    const standin = join(repositoryRoot, 'test', 'fakes', 'sglang', 'server.ts');
    const flags = ['--model-path', model, '--host', '127.0.0.1', '--port', String(port)];
    const keys = ['--api-key', 'use', '--admin-api-key', 'admin'];
    const env = { ...process.env, ...standinEnv('fake') };
    server = spawn(process.execPath, [standin, ...flags, ...keys], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const deadlineMs = performance.now() + 20_000;
    while (!(await fetch(`http://127.0.0.1:${port}/health`).catch(() => null))?.ok) {
      assert.ok(performance.now() < deadlineMs, 'the stand-in answers');
      await delay(50);
    }
  };
  const stopServer = async (): Promise<void> => {
    const gone = once(server, 'close');
    server.kill('SIGKILL');
    await gone;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'apprentice-attached-'));
    model = join(folder, 'fake-model');
    await writeFakeModel(model);
    await mkdir(join(folder, 'v1'));
    await writeFile(join(folder, 'v1', 'adapter_config.json'), '{}');
    await writeFile(join(folder, 'v1', 'adapter_model.safetensors'), '');
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const address = probe.address();
    assert.ok(address !== null && typeof address === 'object');
    port = address.port;
    probe.close();
    await serve();
  });
  after(async () => {
    await started?.close();
    await stopServer();
    await rm(folder, { recursive: true, force: true });
  });

  test('SGLANG-8: what bears a version’s name there already is not taken for it, and its whole events are read as pieces are', async () => {
    const url = `http://127.0.0.1:${port}`;
    const body = JSON.stringify({ lora_name: 'policy@v1', lora_path: join(folder, 'v1') });
    const loaded = await fetch(`${url}/load_lora_adapter`, { method: 'POST', headers: adminHeaders, body });
    assert.equal(loaded.status, 200);
    const choice = {
      kind: 'url',
      urls: [url],
      key: 'use',
      adminKey: 'admin',
      routerPython: null,
      maxAdapters: 8,
    } as const;
    started = await startChosenEngine(choice, { model, env: {}, log: () => {} });
    const client = new EngineClient(started.url);
    const sampling_params = { max_new_tokens: 12, ignore_eos: true };
    const asked = { input_ids: [5, 6], lora_path: 'policy@v1', sampling_params, return_logprob: true };
    assert.equal((await client.refused('/generate', asked)).code, 'adapter_not_loaded');
    await started.engine.loadAdapter('policy@v1', join(folder, 'v1'), never);
    const chunks = await collect(client.stream({ ...asked, top_logprobs_num: 2 }));
    const last = chunks.at(-1);
    assert.equal(last?.output_ids.length, 12);
    assert.equal(last?.meta_info.output_token_logprobs?.length, 12);
    assert.deepEqual(
      last?.meta_info.output_token_logprobs?.map(([, id]) => id),
      last?.output_ids,
    );
    assert.equal(last?.meta_info.weight_version, 'policy@v1');
  });

  test('SGLANG-9: started again in between, it is told of as an engine that lost its adapters', async () => {
    const { engine } = started;
    const { epoch } = engine;
    const states: string[] = [];
    const back = new Promise<void>((resolve) => {
      engine.onStateChange(({ state }) => {
        states.push(state);
        if (state === 'ready') resolve();
      });
    });
    await stopServer();
    await serve();
    await back;
    assert.ok(states.includes('restarting'));
    assert.notEqual(engine.epoch, epoch);
    assert.deepEqual([...engine.adapters.keys()], []);
  });

  test('SGLANG-9: one that has other weights than it was given does not answer with them, and is given them again', async () => {
    const { engine } = started;
    const url = `http://127.0.0.1:${port}`;
    const next = join(folder, 'next-model');
    await writeFakeModel(next);
    await engine.updateWeights(next, never);
    const client = new EngineClient(started.url);
    const asked = { input_ids: [5], sampling_params: { max_new_tokens: 1 } };
    await client.generate(asked);
    const body = JSON.stringify({ model_path: model, weight_version: 'another' });
    await fetch(`${url}/update_weights_from_disk`, { method: 'POST', headers: adminHeaders, body });
    assert.equal((await client.refused('/generate', asked)).code, 'engine_unavailable');
    const deadlineMs = performance.now() + 20_000;
    while ((await client.post('/generate', asked)).status !== 200) {
      assert.ok(performance.now() < deadlineMs, 'it is given them again');
      await delay(50);
    }
    const info = await fetch(`${url}/model_info`, { headers: { authorization: 'Bearer use' } });
    assert.match(Object(await info.json()).weight_version, /^next-model /);
  });
});
