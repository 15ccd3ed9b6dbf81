/**
 * The llama.cpp engine: the whole contract over the real model, quantised files, and the life of its process. Skipped
 * where its binary cannot be had.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { checkGguf } from '../../../gpu-worker/engine/llama-cpp/check-gguf.ts';
import { readModelShape } from '../../../gpu-worker/engine/llama-cpp/model-shape.ts';
import { pythonFolder } from '../../../gpu-worker/python-process.ts';
import { llamaCppAddon } from '../../../gpu-worker/setup/llama-cpp.mjs';
import { modelSizes, writeFullAdapter } from '../../fixtures/adapter.ts';
import { llamaCppFolder, startLlamaCpp, writeFloat32Model } from '../../fixtures/llama-cpp.ts';
import { repositoryRoot, runtime } from '../../fixtures/runtime.ts';
import { engineContract } from '../engine.ts';
import { assertClose, assertFlawsNamed, logprobsOf } from '../engine-assertions.ts';
import { EngineClient } from '../engine-client.ts';

const START_LIMIT_MS = 240_000;
/** Where the weights have four bits and what they are multiplied with eight. */
const QUANTISED_TOLERANCE = 0.5;
const PROMPT = '<|im_start|>user\nWrite a haiku about rain.<|im_end|>\n<|im_start|>assistant\n';

const found = await llamaCppFolder();
/** Where the model's GGUF file is made, once, and the model itself: the contract holds to the digit in float32 alone. */
const shared = await mkdtemp(join(tmpdir(), 'apprentice-llama-cpp-'));
const model = join(shared, 'float32');
after(() => rm(shared, { recursive: true, force: true }));
if (found.kind === 'missing') test('llama.cpp', { skip: `llama.cpp is not here: ${found.why}` }, () => {});
else suites(found.path);

/** The file that the default model's folder was made from: quantised, with the same weights. */
async function defaultGguf(): Promise<string> {
  const program = 'from apprentice_worker.dequantise import find_gguf; print(find_gguf())';
  const env = { ...process.env, PYTHONPATH: pythonFolder() };
  const { stdout } = await promisify(execFile)(runtime().python, ['-c', program], { env, timeout: 60_000 });
  return stdout.trim();
}

function suites(folder: string): void {
  before(() => writeFloat32Model(model));

  engineContract('llama.cpp', async () => {
    const { url, close } = await startLlamaCpp({ folder, model, home: shared });
    return { url, sizes: await modelSizes(model), close };
  });

  describe('llama.cpp engine, its process', { timeout: 240_000 }, () => {
    let started: Awaited<ReturnType<typeof startLlamaCpp>>;
    let scratch: string;
    before(async () => {
      started = await startLlamaCpp({ folder, model, home: shared });
      scratch = await mkdtemp(join(tmpdir(), 'apprentice-llama-'));
    });
    after(async () => {
      await started?.close();
      if (scratch) await rm(scratch, { recursive: true });
    });

    test('ENGINE-9: every way an adapter can be broken is named', async () => {
      await assertFlawsNamed(new EngineClient(started.url), await modelSizes(model), scratch);
    });

    test('LLAMA-4: a quantised file of the very model is served in its place, with adapters', async () => {
      const file = await defaultGguf();
      const quantised = await startLlamaCpp({ folder, model, gguf: file });
      try {
        assert.equal(quantised.engine.info?.dtype, 'Q4_1');
        const [exact, rough] = [new EngineClient(started.url), new EngineClient(quantised.url)];
        const ask = {
          ...{ text: PROMPT, sampling_params: { max_new_tokens: 0 } },
          ...{ return_logprob: true, logprob_start_len: 0 },
        };
        const scores = async (client: EngineClient, lora_path: string | null) =>
          logprobsOf(
            ((await client.generate({ ...ask, lora_path })).meta_info.input_token_logprobs ?? []).slice(1),
          );
        const base = await scores(rough, null);
        assertClose(base, await scores(exact, null), QUANTISED_TOLERANCE);
        const adapter = join(scratch, 'full');
        await writeFullAdapter(adapter, model, 11);
        for (const client of [exact, rough]) assert.ok((await client.load('policy@v1', adapter)).success);
        const adapted = await scores(rough, 'policy@v1');
        assert.notDeepEqual(adapted, base);
        assertClose(adapted, await scores(exact, 'policy@v1'), QUANTISED_TOLERANCE);
        for (const client of [exact, rough]) assert.ok((await client.unload('policy@v1')).success);
        assert.deepEqual(await scores(rough, null), base);
      } finally {
        await quantised.close();
      }
    });

    test('LLAMA-4: a file that means other words by its ids is refused', async () => {
      const other = join(scratch, 'other');
      await mkdir(other);
      for (const name of ['config.json', 'model.safetensors'])
        await symlink(join(model, name), join(other, name));
      const vocabulary = { vocab: { one: 0, other: 1, tokenizer: 2 } };
      await writeFile(join(other, 'tokenizer.json'), JSON.stringify({ model: vocabulary }));
      const checked = async () => checkGguf(await defaultGguf(), other, await readModelShape(other));
      await assert.rejects(checked, { code: 'setup_failed', message: /3 of 3 tokens are others/ });
    });

    test('LLAMA-8: other weights are refused with a code, and the old ones go on serving', async () => {
      const client = new EngineClient(started.url);
      const refused = await client.refused('/update_weights_from_disk', { model_path: model });
      assert.equal(refused.code, 'invalid_request');
      const answer = await client.generate({ text: 'Hello', sampling_params: { max_new_tokens: 1 } });
      assert.equal(answer.meta_info.weight_version, 'policy@v0');
    });

    test('LLAMA-5: one seed gives one answer at any temperature, and top_k 1 the best token', async () => {
      const client = new EngineClient(started.url);
      const text = PROMPT;
      const ask = async (sampling: object) =>
        (
          await client.generate({
            text,
            sampling_params: { max_new_tokens: 8, ignore_eos: true, ...sampling },
          })
        ).output_ids;
      const greedy = await ask({ temperature: 0 });
      assert.deepEqual(await ask({ temperature: 2, top_k: 1, sampling_seed: 3 }), greedy);
      assert.deepEqual(await ask({ temperature: 2, top_p: 1e-6, sampling_seed: 3 }), greedy);
      const wild = { temperature: 2, sampling_seed: 3 };
      assert.deepEqual(await ask(wild), await ask(wild));
      assert.notDeepEqual(await ask(wild), await ask({ ...wild, sampling_seed: 4 }));
    });

    test('ENGINE-14: killed, it fails what ran and comes back under a new epoch', async () => {
      const client = new EngineClient(started.url);
      const { engine } = started;
      const { epoch } = engine;
      const sampling_params = { max_new_tokens: 3_000, ignore_eos: true };
      const stream = client.stream({ text: 'x', sampling_params });
      await stream.next();
      const ready = new Promise<void>((resolve) => {
        const stop = engine.onStateChange(({ state }) => {
          if (state !== 'ready') return;
          stop();
          resolve();
        });
      });
      process.kill(engine.pid() ?? assert.fail('no process'), 'SIGKILL');
      await assert.rejects(async () => {
        for await (const chunk of stream) assert.equal(chunk.meta_info.finish_reason, null);
      });
      await ready;
      assert.notEqual(engine.epoch, epoch);
      assert.equal((await client.get('/health_generate')).status, 200);
    });

    test('LLAMA-9: it ends with its input, also in the middle of a pass', async () => {
      const main = join(repositoryRoot, 'gpu-worker', 'engine', 'llama-cpp', 'main.ts');
      const flags = ['--model', model, '--addon', llamaCppAddon(folder), '--context', '1024'];
      // The file that the worker's engine made is there already.
      const cache = join(shared, 'gguf');
      flags.push('--cache', cache, '--max-running', '1', '--threads', '1');
      const child = spawn(process.execPath, [main, ...flags], {
        stdio: ['pipe', 'pipe', 'inherit'],
        timeout: START_LIMIT_MS,
      });
      const closed = once(child, 'close');
      await once(child.stdout, 'data');
      const submit = {
        ...{ type: 'submit', rid: 'r', scope: '', adapter: null, max_new_tokens: 500, temperature: 0 },
        ...{ input_ids: Array.from({ length: 400 }, (_, index) => index + 100), top_p: 1, top_k: -1 },
        ...{ stop_token_ids: [], seed: null, return_logprob: false, logprob_start_len: -1 },
        top_logprobs_num: 0,
      };
      child.stdin.write(`${JSON.stringify(submit)}\n`);
      await once(child.stdout, 'data');
      const endedMs = performance.now();
      child.stdin.end();
      await closed;
      assert.ok(performance.now() - endedMs < 3_000);
    });
  });
}
