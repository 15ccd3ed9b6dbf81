/**
 * The llama.cpp engine: the whole contract over the real model, the same answers and logprobs as the embedded engine with
 * and without an adapter, every family, and the life of its process. Skipped where its binary cannot be had.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createEngine } from '../../../gpu-worker/engine/embedded-engine.ts';
import { engineRoutes } from '../../../gpu-worker/engine/routes.ts';
import { loadTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { llamaCppAddon } from '../../../gpu-worker/setup/llama-cpp.mjs';
import { listen } from '../../fakes/engine.ts';
import { type Flaw, modelSizes, writeAdapter, writeFullAdapter } from '../../fixtures/adapter.ts';
import { llamaCppFolder, startLlamaCpp } from '../../fixtures/llama-cpp.ts';
import { repositoryRoot, runtime } from '../../fixtures/runtime.ts';
import { writeTinyFamily } from '../../fixtures/tiny-model.ts';
import { engineContract } from '../engine.ts';
import { assertClose, logprobsOf, outputLogprobs } from '../engine-assertions.ts';
import { EngineClient } from '../engine-client.ts';

const START_LIMIT_MS = 240_000;
/** Of a logprob, in nats: keys and values are float16 here and float32 in the embedded engine. */
const TOLERANCE = 0.02;
const PROMPTS = [
  'The capital of France is',
  'def fibonacci(n):\n    """The n-th number."""\n',
  'Once upon a time there was a small engine that',
  '<|im_start|>user\nWrite a haiku about rain.<|im_end|>\n<|im_start|>assistant\n',
];

const found = await llamaCppFolder();
/** Where the default model's GGUF file is made, once. */
const shared = await mkdtemp(join(tmpdir(), 'apprentice-llama-cpp-'));
after(() => rm(shared, { recursive: true, force: true }));
if (found.kind === 'missing') test('llama.cpp', { skip: `llama.cpp is not here: ${found.why}` }, () => {});
else suites(found.path);

/** The embedded engine over the same folder. */
async function startEmbedded(model: string): Promise<{ url: string; close: () => Promise<void> }> {
  const log = () => {};
  const engine = createEngine({ python: runtime().python, model, threads: null, maxRunning: 4, log });
  const http = await listen(engineRoutes({ engine, tokenizer: await loadTokenizer(model), log }));
  await engine.start(AbortSignal.timeout(START_LIMIT_MS));
  const close = async () => {
    await engine.stop();
    await http.close();
  };
  return { url: http.url, close };
}

/** Greedy answers of both, and how both score them, with an adapter on every layer and without. */
async function compareEngines(
  folder: string,
  model: string,
  home: string,
  prompts: readonly string[],
): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), 'apprentice-compare-'));
  const adapter = join(scratch, 'adapter');
  await writeFullAdapter(adapter, model, 11);
  const own = await startEmbedded(model);
  const other = await startLlamaCpp({ folder, model, home });
  let worst = 0;
  try {
    const [embedded, llamaCpp] = [new EngineClient(own.url), new EngineClient(other.url)];
    for (const client of [embedded, llamaCpp])
      assert.equal((await client.load('policy@v1', adapter)).success, true);
    for (const lora_path of [null, 'policy@v1'])
      for (const text of prompts) {
        const sampling_params = { temperature: 0, ignore_eos: true, max_new_tokens: 12 };
        const ask = { text, sampling_params, lora_path, return_logprob: true, logprob_start_len: 0 };
        const [a, b] = [await embedded.generate(ask), await llamaCpp.generate(ask)];
        assert.deepEqual(b.output_ids, a.output_ids, `${lora_path}: ${text}`);
        assertClose(outputLogprobs(b), outputLogprobs(a), TOLERANCE);
        const [scoresA, scoresB] = [a, b].map((one) =>
          logprobsOf((one.meta_info.input_token_logprobs ?? []).slice(1)),
        );
        assertClose(scoresB ?? [], scoresA ?? [], TOLERANCE);
        for (const [index, value] of (scoresB ?? []).entries())
          worst = Math.max(worst, Math.abs((value ?? 0) - (scoresA?.[index] ?? 0)));
      }
  } finally {
    await Promise.all([own.close(), other.close(), rm(scratch, { recursive: true })]);
  }
  return worst;
}

function suites(folder: string): void {
  engineContract('llama.cpp', async () => {
    const { model } = runtime();
    const { url, close } = await startLlamaCpp({ folder, model, home: shared });
    return { url, sizes: await modelSizes(model), close };
  });

  describe('llama.cpp engine', { timeout: 480_000 }, () => {
    test('LLAMA-7: it answers as the embedded engine does, and its logprobs are the same within 0.02', async (t) => {
      const worst = await compareEngines(folder, runtime().model, shared, PROMPTS);
      t.diagnostic(`largest difference ${worst.toFixed(5)}`);
    });

    for (const family of ['llama', 'qwen2', 'qwen3'] as const)
      test(`LLAMA-7: so it does for ${family}`, async (t) => {
        const model = await mkdtemp(join(tmpdir(), `apprentice-${family}-`));
        try {
          await writeTinyFamily(family, model);
          const worst = await compareEngines(folder, model, model, PROMPTS.slice(0, 2));
          t.diagnostic(`largest difference ${worst.toFixed(5)}`);
        } finally {
          await rm(model, { recursive: true });
        }
      });
  });

  describe('llama.cpp engine, its process', { timeout: 240_000 }, () => {
    let started: Awaited<ReturnType<typeof startLlamaCpp>>;
    let scratch: string;
    before(async () => {
      started = await startLlamaCpp({ folder, model: runtime().model, home: shared });
      scratch = await mkdtemp(join(tmpdir(), 'apprentice-llama-'));
    });
    after(async () => {
      await started?.close();
      if (scratch) await rm(scratch, { recursive: true });
    });

    test('ENGINE-9: every way an adapter can be broken is named', async () => {
      const client = new EngineClient(started.url);
      const sizes = await modelSizes(runtime().model);
      const flaws: [Flaw, RegExp][] = [
        ['missing_weights', /adapter_model\.safetensors is missing/],
        ['not_json', /cannot be read/],
        ['wrong_shape', /needs A/],
        ['not_a_number', /NaN/],
        ['foreign_module', /no linear layer/],
      ];
      for (const [flaw, message] of flaws) {
        await writeAdapter(join(scratch, flaw), sizes, 1, flaw);
        const answer = await client.load('policy@v1', join(scratch, flaw));
        assert.match(answer.error_message ?? '', message);
        assert.deepEqual(answer.loaded_adapters, {});
      }
    });

    test('LLAMA-8: other weights are refused with a code, and the old ones go on serving', async () => {
      const client = new EngineClient(started.url);
      const refused = await client.refused('/update_weights_from_disk', { model_path: runtime().model });
      assert.equal(refused.code, 'invalid_request');
      const answer = await client.generate({ text: 'Hello', sampling_params: { max_new_tokens: 1 } });
      assert.equal(answer.meta_info.weight_version, 'policy@v0');
    });

    test('LLAMA-5: one seed gives one answer at any temperature, and top_k 1 the best token', async () => {
      const client = new EngineClient(started.url);
      const text = PROMPTS[2] ?? '';
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
      const flags = ['--model', runtime().model, '--addon', llamaCppAddon(folder), '--context', '1024'];
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
