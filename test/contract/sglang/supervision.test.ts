/** A server of SGLang under the worker: started, kept to itself, restarted, given adapters and weights. Its stand-in is fake. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { RequestEvent, Submit } from '../../../gpu-worker/engine/messages.ts';
import { SglangEngine } from '../../../gpu-worker/engine/sglang/sglang-engine.ts';
import { descendants } from '../../fixtures/process-tree.ts';
import { ONE_SGLANG, type StartedEngine, startChosenEngine } from '../../fixtures/sglang-engine.ts';
import { standinEnv, writeFakeModel } from '../../fixtures/sglang-standin.ts';
import { collect } from '../engine-assertions.ts';
import { EngineClient } from '../engine-client.ts';

const never = new AbortController().signal;
const LIMIT = { timeout: 60_000 };

const REQUEST: Submit = {
  rid: 'r',
  scope: '',
  input_ids: [5, 6, 7],
  adapter: null,
  max_new_tokens: 8,
  temperature: 0,
  top_p: 1,
  top_k: -1,
  stop_token_ids: [],
  seed: null,
  return_logprob: false,
  logprob_start_len: -1,
  top_logprobs_num: 0,
};

async function all(events: AsyncIterable<RequestEvent>): Promise<RequestEvent[]> {
  const read: RequestEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

describe('SGLang, supervised', LIMIT, () => {
  let folder: string;
  let model: string;
  let started: StartedEngine;
  let log: string[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'apprentice-sglang-'));
    model = join(folder, 'fake-model');
    await writeFakeModel(model);
    for (const version of [1, 2, 3]) await writeEmptyAdapter(join(folder, `v${version}`));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  afterEach(() => started.close());

  /** A token takes `tokenMs`. */
  const open = async (tokenMs: number, choice: Partial<typeof ONE_SGLANG> = {}): Promise<SglangEngine> => {
    log = [];
    const env = standinEnv('fake', tokenMs);
    const options = { model, env, log: (line: string) => void log.push(line) };
    started = await startChosenEngine({ ...ONE_SGLANG, ...choice }, options);
    assert.ok(started.engine instanceof SglangEngine);
    return started.engine;
  };
  const load = (engine: SglangEngine, version: number) =>
    engine.loadAdapter(`policy@v${version}`, join(folder, `v${version}`), never);

  test('SGLANG-2: it listens on loopback, asks for keys of its own, and those are in no argument and no log', async () => {
    const engine = await open(0);
    const { url, key, adminKey } = engine.fleet.any();
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.ok(key !== null && adminKey !== null && key !== adminKey);
    assert.equal((await fetch(`${url}/v1/models`)).status, 401);
    const load = { method: 'POST', body: '{}', headers: { authorization: `Bearer ${key}` } };
    assert.equal((await fetch(`${url}/load_lora_adapter`, load)).status, 401, 'its other key is for that');
    const written = log.join('\n');
    assert.match(written, /--api-key \(key\)/, 'SGLang writes its arguments');
    assert.ok(!written.includes(key) && !written.includes(adminKey));
    if (process.platform === 'linux') {
      const ours = descendants(process.pid).filter(({ command }) => command.includes('foreign_server'));
      assert.equal(ours.length, 2, 'who watches, and SGLang');
      for (const { command } of ours) {
        assert.match(command, /sglang\.launch_server/);
        assert.ok(!command.includes(key) && !command.includes(adminKey));
      }
    }
    await assert.rejects(open(0, { extra: ['--host', '0.0.0.0'] }), { code: 'invalid_request' });
  });

  test('SGLANG-3: killed, it fails what ran, comes back under another epoch, and has to be given its adapters again', async () => {
    const engine = await open(5);
    await load(engine, 1);
    const { epoch } = engine;
    const running = engine.generate({ ...REQUEST, adapter: 'policy@v1', max_new_tokens: 4_000 }, never);
    await running.next();
    const back = new Promise<void>((resolve) => {
      const stop = engine.onStateChange(({ state }) => {
        if (state !== 'ready') return;
        stop();
        resolve();
      });
    });
    process.kill(engine.fleet.pids()[0] ?? 0, 'SIGKILL');
    await assert.rejects(all(running), { code: 'engine_unavailable' });
    await back;
    assert.notEqual(engine.epoch, epoch);
    assert.deepEqual([...engine.adapters.keys()], []);
    await assert.rejects(all(engine.generate({ ...REQUEST, adapter: 'policy@v1' }, never)), {
      code: 'adapter_not_loaded',
    });
    await load(engine, 1);
    assert.equal(
      (await all(engine.generate({ ...REQUEST, adapter: 'policy@v1' }, never))).at(-1)?.type,
      'finish',
    );
    assert.equal(engine.state().restarts, 1);
  });

  test('SGLANG-4: a version that was unloaded is refused, though SGLang would bring it back by itself', async () => {
    const engine = await open(0);
    const client = new EngineClient(started.url);
    await load(engine, 1);
    await engine.unloadAdapter('policy@v1', never);
    const asked = { input_ids: [5], lora_path: 'policy@v1', sampling_params: { max_new_tokens: 1 } };
    assert.deepEqual(await client.refused('/generate', asked), { status: 404, code: 'adapter_not_loaded' });
    // What it is kept from: the same request straight to SGLang is answered.
    const { url, key } = engine.fleet.any();
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ ...asked, rid: 'x' });
    assert.equal((await fetch(`${url}/generate`, { method: 'POST', headers, body })).status, 200);
    const answered = await client.generate({ input_ids: [5], sampling_params: { max_new_tokens: 1 } });
    assert.equal(
      answered.meta_info.weight_version,
      'policy@v0',
      "the adapter's name or the base's, never SGLang's own",
    );
  });

  test('SGLANG-5: no more adapters than the bound; a load waits for the place of one that is drained', async () => {
    const engine = await open(5, { maxAdapters: 2 });
    await load(engine, 1);
    await load(engine, 2);
    await assert.rejects(load(engine, 3), { code: 'queue_full' });
    const running = engine.generate({ ...REQUEST, adapter: 'policy@v1', max_new_tokens: 40 }, never);
    await running.next();
    const ended: string[] = [];
    const unloaded = engine.unloadAdapter('policy@v1', never).then(() => ended.push('unloaded'));
    const loaded = load(engine, 3).then(() => ended.push('loaded'));
    const newer = await all(engine.generate({ ...REQUEST, rid: 'newer', adapter: 'policy@v2' }, never));
    assert.equal(newer.at(-1)?.type, 'finish', 'others are answered meanwhile');
    assert.deepEqual(ended, []);
    const rest = await all(running);
    assert.equal(rest.at(-1)?.type, 'finish');
    await Promise.all([unloaded, loaded]);
    assert.deepEqual([...engine.adapters.keys()], ['policy@v2', 'policy@v3']);
  });

  test('SGLANG-6: for other weights requests wait, none is cut or mixed, and how long they waited is logged', async () => {
    const engine = await open(5);
    const client = new EngineClient(started.url);
    const stream = client.stream({
      input_ids: [5],
      sampling_params: { max_new_tokens: 30, ignore_eos: true },
    });
    await stream.next();
    const next = join(folder, 'next-model');
    await writeFakeModel(next);
    const updated = engine.updateWeights(next, never);
    const order: string[] = [];
    const waiting = client
      .generate({ input_ids: [6], sampling_params: { max_new_tokens: 1 } })
      .then(() => order.push('waiting'));
    const chunks = await collect(stream);
    order.push('running');
    assert.equal(chunks.at(-1)?.output_ids.length, 30);
    await Promise.all([updated, waiting]);
    assert.deepEqual(order, ['running', 'waiting']);
    assert.ok(engine.pausedForMs !== null && engine.pausedForMs > 0);
    assert.match(log.join('\n'), /Weights of .*next-model: requests waited \d+ ms/);
    await mkdir(join(folder, 'nothing'), { recursive: true });
    await assert.rejects(engine.updateWeights(join(folder, 'nothing'), never), { code: 'invalid_request' });
    const after = await client.generate({ input_ids: [5], sampling_params: { max_new_tokens: 1 } });
    assert.equal(after.output_ids.length, 1, 'the old ones go on');
  });

  test("SGLANG-7: its parser of tool calls is reached through the worker's port", async () => {
    await open(0, { extra: ['--tool-call-parser', 'hermes'] });
    const client = new EngineClient(started.url);
    const info: unknown = await (await client.get('/server_info')).json();
    assert.equal(Object(info).tool_call_parser, 'hermes');
    const text = 'So: <tool_call>{"name": "look", "arguments": {"at": 1}}</tool_call>';
    const asked = { text, tools: [], tool_call_parser: 'hermes' };
    assert.deepEqual(await (await client.post('/parse_function_call', asked)).json(), {
      normal_text: 'So: ',
      calls: [{ tool_index: 0, name: 'look', parameters: '{"at":1}' }],
    });
  });
});

/** All that the fake engine reads of an adapter: that it is there. */
async function writeEmptyAdapter(at: string): Promise<void> {
  await mkdir(at, { recursive: true });
  await writeFile(join(at, 'adapter_config.json'), '{}');
  await writeFile(join(at, 'adapter_model.safetensors'), '');
}
