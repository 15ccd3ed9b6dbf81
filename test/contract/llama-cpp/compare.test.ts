/**
 * The llama.cpp engine answers as the embedded one does: the same greedy tokens and logprobs, with and without an adapter
 * on every linear layer, over the real model and a tiny one of every family. Skipped where its binary cannot be had.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createEngine } from '../../../gpu-worker/engine/embedded-engine.ts';
import { engineRoutes } from '../../../gpu-worker/engine/routes.ts';
import { loadTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { listen } from '../../fakes/engine.ts';
import { writeFullAdapter } from '../../fixtures/adapter.ts';
import { llamaCppFolder, startLlamaCpp, writeFloat32Model } from '../../fixtures/llama-cpp.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { writeTinyFamily } from '../../fixtures/tiny-model.ts';
import { assertClose, logprobsOf, outputLogprobs } from '../engine-assertions.ts';
import { EngineClient } from '../engine-client.ts';

const START_LIMIT_MS = 240_000;
/** Of a logprob, in nats, where both compute in float32; and where llama.cpp's weights and cache are float16. */
const TOLERANCE = 1e-3;
const HALF_TOLERANCE = 0.02;
const PROMPTS = [
  'The capital of France is',
  'def fibonacci(n):\n    """The n-th number."""\n',
  'Once upon a time there was a small engine that',
  '<|im_start|>user\nWrite a haiku about rain.<|im_end|>\n<|im_start|>assistant\n',
];

const found = await llamaCppFolder();
const missing = found.kind === 'missing' ? `llama.cpp is not here: ${found.why}` : false;
const folder = found.kind === 'here' ? found.path : '';

describe('llama.cpp beside the embedded engine', { timeout: 480_000, skip: missing }, () => {
  test('LLAMA-7: it answers as the embedded engine does, and its logprobs are the same within 0.001', async (t) => {
    const model = await mkdtemp(join(tmpdir(), 'apprentice-float32-'));
    try {
      await writeFloat32Model(model);
      const worst = await compareEngines(model, PROMPTS, TOLERANCE);
      t.diagnostic(`largest difference ${worst.toFixed(5)}`);
    } finally {
      await rm(model, { recursive: true });
    }
  });

  test('LLAMA-7: over the default model as it is, in float16, within 0.02', async (t) => {
    const worst = await compareEngines(runtime().model, PROMPTS.slice(0, 2), HALF_TOLERANCE);
    t.diagnostic(`largest difference ${worst.toFixed(5)}`);
  });

  for (const family of ['llama', 'qwen2', 'qwen3'] as const)
    test(`LLAMA-7: so it does for ${family}${family === 'qwen2' ? ' in float16, within 0.02' : ''}`, async (t) => {
      const model = await mkdtemp(join(tmpdir(), `apprentice-${family}-`));
      try {
        await writeTinyFamily(family, model);
        const tolerance = family === 'qwen2' ? HALF_TOLERANCE : TOLERANCE;
        const worst = await compareEngines(model, PROMPTS.slice(0, 2), tolerance);
        t.diagnostic(`largest difference ${worst.toFixed(5)}`);
      } finally {
        await rm(model, { recursive: true });
      }
    });
});

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
async function compareEngines(model: string, prompts: readonly string[], tolerance: number): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), 'apprentice-compare-'));
  const adapter = join(scratch, 'adapter');
  await writeFullAdapter(adapter, model, 11);
  const own = await startEmbedded(model);
  const other = await startLlamaCpp({ folder, model });
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
        const differsAt = a.output_ids.findIndex((id, index) => id !== b.output_ids[index]);
        // In 16 bits one of two tokens that are almost as likely may win here and the other there.
        if (tolerance === TOLERANCE) assert.equal(differsAt, -1, `${lora_path}: ${text}`);
        const same = differsAt === -1 ? a.output_ids.length : differsAt;
        assertClose(outputLogprobs(b).slice(0, same), outputLogprobs(a).slice(0, same), tolerance);
        const [scoresA, scoresB] = [a, b].map((one) =>
          logprobsOf((one.meta_info.input_token_logprobs ?? []).slice(1)),
        );
        assertClose(scoresB ?? [], scoresA ?? [], tolerance);
        for (const [index, value] of (scoresB ?? []).entries())
          worst = Math.max(worst, Math.abs((value ?? 0) - (scoresA?.[index] ?? 0)));
      }
  } finally {
    await Promise.all([own.close(), other.close(), rm(scratch, { recursive: true })]);
  }
  return worst;
}
