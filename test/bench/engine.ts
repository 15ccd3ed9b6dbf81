/**
 * The embedded engine beside `generate` of transformers, in one run, turn about: `node test/bench/engine.ts
 * --json FILE`. Numbers of the engine include HTTP. Medians over rounds, so that a busy moment spoils one round only.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { createEngine } from '../../gpu-worker/engine/embedded-engine.ts';
import { engineRoutes } from '../../gpu-worker/engine/routes.ts';
import { loadTokenizer } from '../../gpu-worker/engine/tokenizer.ts';
import { EngineClient } from '../contract/engine-client.ts';
import { listen } from '../fakes/engine.ts';
import { runtime } from '../fixtures/runtime.ts';
import { median, report } from './rig.ts';

const PROMPT_TOKENS = 32;
const NEW_TOKENS = 64;
const LONG_PROMPT_TOKENS = 384;
const ROUNDS = 3;
const START_TIMEOUT_MS = 300_000;

interface Round {
  transformersTokensPerSecond: number;
  oneStreamTokensPerSecond: number;
  fourStreamsTokensPerSecond: number;
  coldFirstTokenMs: number;
  secondTurnFirstTokenMs: number;
}

/** Ids that no two prompts share from the first on, so that nothing comes from the cache by chance. */
function prompt(seed: number, length: number): number[] {
  return Array.from({ length }, (_, index) => 1_000 + ((seed * 7_919 + index * 131) % 40_000));
}

async function startTransformers(python: string, model: string) {
  const child = spawn(python, [join(import.meta.dirname, 'transformers_generate.py'), model], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // The same thread policy as the engine's, so that what is compared is the code.
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      OMP_WAIT_POLICY: 'PASSIVE',
    },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const line = await lines.next();
    if (line.done) throw new Error('transformers_generate.py ended.');
    return JSON.parse(line.value);
  };
  await read();
  return {
    /** Seconds that one greedy generation took. */
    async generate(ids: number[]): Promise<number> {
      child.stdin.write(`${JSON.stringify({ ids, new_tokens: NEW_TOKENS })}\n`);
      return z.object({ seconds: z.number() }).parse(await read()).seconds;
    },
    stop: () => child.stdin.end(),
  };
}

const sampling_params = { temperature: 0, max_new_tokens: NEW_TOKENS, ignore_eos: true };

async function tokensPerSecond(client: EngineClient, prompts: number[][]): Promise<number> {
  const started = performance.now();
  await Promise.all(
    prompts.map(async (input_ids) => {
      for await (const chunk of client.stream({ input_ids, sampling_params })) void chunk;
    }),
  );
  return (prompts.length * NEW_TOKENS * 1_000) / (performance.now() - started);
}

async function firstTokenMs(
  client: EngineClient,
  input_ids: number[],
): Promise<{ ms: number; output: number[] }> {
  const started = performance.now();
  let ms = Number.NaN;
  let output: number[] = [];
  for await (const chunk of client.stream({
    input_ids,
    sampling_params: { ...sampling_params, max_new_tokens: 8 },
  })) {
    if (Number.isNaN(ms)) ms = performance.now() - started;
    output = chunk.output_ids;
  }
  return { ms, output };
}

async function main(): Promise<void> {
  const { python, model } = runtime();
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const engine = createEngine({ python, model, threads: null, maxRunning: 8, log });
  const http = await listen(engineRoutes({ engine, tokenizer: await loadTokenizer(model), log }));
  await engine.start(AbortSignal.timeout(START_TIMEOUT_MS));
  const transformers = await startTransformers(python, model);
  const client = new EngineClient(http.url);

  const measured: Round[] = [];
  // The first round warms both sides up and is not counted.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const seed = round * 10;
    const seconds = await transformers.generate(prompt(seed, PROMPT_TOKENS));
    const one = await tokensPerSecond(client, [prompt(seed, PROMPT_TOKENS)]);
    const four = await tokensPerSecond(
      client,
      [1, 2, 3, 4].map((stream) => prompt(seed + stream, PROMPT_TOKENS)),
    );
    const conversation = prompt(seed + 5, LONG_PROMPT_TOKENS);
    const cold = await firstTokenMs(client, conversation);
    const second = await firstTokenMs(client, [...conversation, ...cold.output, ...prompt(seed + 6, 16)]);
    if (round === 0) continue;
    measured.push({
      transformersTokensPerSecond: NEW_TOKENS / seconds,
      oneStreamTokensPerSecond: one,
      fourStreamsTokensPerSecond: four,
      coldFirstTokenMs: cold.ms,
      secondTurnFirstTokenMs: second.ms,
    });
  }
  transformers.stop();
  await engine.stop();
  await http.close();

  const of = (value: (round: Round) => number) => median(measured.map(value));
  const one = of((r) => r.oneStreamTokensPerSecond / r.transformersTokensPerSecond);
  const four = of((r) => r.fourStreamsTokensPerSecond / r.transformersTokensPerSecond);
  const turn = of((r) => r.secondTurnFirstTokenMs / r.coldFirstTokenMs);
  const plain = (name: string, value: number, unit: string) => ({ name, value, unit, aim: null, met: null });
  await report(
    [
      { name: 'one stream / transformers generate', value: one, unit: 'x', aim: 'at least 1', met: one >= 1 },
      {
        name: 'four streams / transformers generate',
        value: four,
        unit: 'x',
        aim: 'at least 2.5',
        met: four >= 2.5,
      },
      {
        name: 'first token, second turn / cold',
        value: turn,
        unit: 'x',
        aim: 'at most 0.2',
        met: turn <= 0.2,
      },
      plain(
        'transformers generate',
        of((r) => r.transformersTokensPerSecond),
        'tokens/s',
      ),
      plain(
        'one stream',
        of((r) => r.oneStreamTokensPerSecond),
        'tokens/s',
      ),
      plain(
        'four streams together',
        of((r) => r.fourStreamsTokensPerSecond),
        'tokens/s',
      ),
      plain(
        `first token of ${LONG_PROMPT_TOKENS}, cold`,
        of((r) => r.coldFirstTokenMs),
        'ms',
      ),
      plain(
        'first token, second turn',
        of((r) => r.secondTurnFirstTokenMs),
        'ms',
      ),
    ],
    { promptTokens: PROMPT_TOKENS, newTokens: NEW_TOKENS, rounds: measured },
  );
}

await main();
