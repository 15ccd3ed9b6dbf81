/** The engine's contract over the real engine with the real model, and over the fake. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startFakeEngine } from '../fakes/engine.ts';
import { modelSizes, writeFullAdapter } from '../fixtures/adapter.ts';
import { startRealEngine } from '../fixtures/real-engine.ts';
import { runtime } from '../fixtures/runtime.ts';
import { ENDLESS_RID, engineContract } from './engine.ts';
import { assertFlawsNamed } from './engine-assertions.ts';
import { EngineClient } from './engine-client.ts';

engineContract('fake', async () => {
  const fake = await startFakeEngine({
    beforeToken: (request, index) =>
      request.rid === ENDLESS_RID && index > 1 ? new Promise(() => {}) : Promise.resolve(),
  });
  const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, head_dim: 4 };
  return { url: fake.url, sizes, close: fake.close };
});

engineContract('embedded', async () => {
  const { url, close } = await startRealEngine();
  const { model, device } = runtime();
  // A GPU computes in the model's 16 bits.
  return { url, sizes: await modelSizes(model), ...(device !== 'cpu' && { rounding: 0.1 }), close };
});

describe('embedded engine', { timeout: 240_000 }, () => {
  let real: Awaited<ReturnType<typeof startRealEngine>>;
  let folder: string;
  before(async () => {
    real = await startRealEngine();
    folder = await mkdtemp(join(tmpdir(), 'apprentice-engine-'));
  });
  after(async () => {
    await real?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  test('ENGINE-9: every way an adapter can be broken is named', async () => {
    await assertFlawsNamed(new EngineClient(real.url), await modelSizes(runtime().model), folder);
  });

  const skip = process.platform !== 'linux' && 'threads are counted as Linux shows them';
  test('ENGINE-18: an adapter is loaded without threads of its own, which would slow every later pass', {
    skip,
  }, async () => {
    const client = new EngineClient(real.url);
    const answer = (lora_path: string | null) =>
      client.generate({ text: 'Hello', lora_path, sampling_params: { max_new_tokens: 2 } });
    await answer(null);
    const threads = async () => (await readdir(`/proc/${real.engine.pid()}/task`)).length;
    const before = await threads();
    const adapter = join(folder, 'all-layers');
    await writeFullAdapter(adapter, runtime().model, 1, 16);
    assert.ok((await client.load('policy@v1', adapter)).success);
    await answer('policy@v1');
    assert.equal(await threads(), before);
    await client.unload('policy@v1');
  });

  test('ENGINE-13: weights of a folder that is no model are refused, and the old ones go on serving', async () => {
    const client = new EngineClient(real.url);
    const refused = await client.refused('/update_weights_from_disk', { model_path: folder });
    assert.equal(refused.code, 'invalid_request');
    const answer = await client.generate({ text: 'Hello', sampling_params: { max_new_tokens: 1 } });
    assert.equal(answer.meta_info.weight_version, 'policy@v0');
  });

  test('ENGINE-14: a crash fails what was running, and the engine comes back under a new epoch', async () => {
    const client = new EngineClient(real.url);
    const { engine } = real;
    const epoch = engine.epoch;
    const sampling_params = { max_new_tokens: 4_000, ignore_eos: true };
    const running = engine.generate(
      {
        rid: 'crash',
        scope: '',
        input_ids: [1, 2, 3],
        adapter: null,
        ...sampling_params,
        temperature: 0,
        top_p: 1,
        top_k: -1,
        stop_token_ids: [],
        seed: null,
        return_logprob: false,
        logprob_start_len: -1,
        top_logprobs_num: 0,
      },
      AbortSignal.timeout(120_000),
    );
    await running.next();
    const pid = engine.pid();
    assert.ok(pid !== null);
    const ready = new Promise<void>((resolve) => {
      const stop = engine.onStateChange(({ state }) => {
        if (state !== 'ready') return;
        stop();
        resolve();
      });
    });
    process.kill(pid, 'SIGKILL');
    await assert.rejects(
      async () => {
        for await (const event of running) assert.notEqual(event.type, 'finish');
      },
      { code: 'engine_unavailable' },
    );
    assert.equal((await client.get('/health')).status, 503);
    assert.deepEqual(await client.refused('/generate', { text: 'x' }), {
      status: 503,
      code: 'engine_unavailable',
    });
    await ready;
    assert.notEqual(engine.epoch, epoch);
    assert.equal((await client.get('/health_generate')).status, 200);
    assert.equal(engine.state().restarts, 1);
  });
});
