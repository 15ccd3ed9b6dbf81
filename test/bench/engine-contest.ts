/** Who takes part in the engine's bench, and the same questions put to each: ours over HTTP, the others in a child. */
import { join } from 'node:path';
import { createEngine } from '../../gpu-worker/engine/embedded-engine.ts';
import { engineRoutes } from '../../gpu-worker/engine/routes.ts';
import { loadTokenizer } from '../../gpu-worker/engine/tokenizer.ts';
import { EngineClient } from '../contract/engine-client.ts';
import { listen } from '../fakes/engine.ts';
import { runtime } from '../fixtures/runtime.ts';
import { ggufFiles, nodeLlamaCpp } from './llama-cpp.ts';
import { type Answer, type Peer, startPeer } from './peer.ts';

const START_TIMEOUT_MS = 300_000;
const TOP = 4;
/** Requests that ours decodes together. */
export const MOST_STREAMS = 32;

export interface Contestant {
  name: string;
  /** Seconds until all prompts have `newTokens` greedy tokens, begun together. */
  decode(prompts: number[][], newTokens: number): Promise<number>;
  /** Seconds to the first token of a prompt, and of what is then added to it. Null where it has no such thing. */
  turns: ((ids: number[], more: number[]) => Promise<{ first: number; second: number }>) | null;
  /** Seconds for log-probabilities and the best four of the last `scored` ids. */
  score: ((ids: number[], scored: number) => Promise<number>) | null;
}

/** The embedded engine behind its HTTP routes, with what only it is asked. */
export interface Ours extends Contestant {
  withAdapter(name: string, prompts: number[][], newTokens: number): Promise<number>;
  /** Seconds until a text has been gone on with by `newTokens` greedy tokens. */
  goOn(text: string, newTokens: number): Promise<number>;
  /** Seconds. */
  loadAdapter(name: string, folder: string): Promise<number>;
  unloadAdapter(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** `guesses`: as it is served; without, each token takes a pass, which is what the others are compared with. */
export async function startOurs(log: (line: string) => void, guesses: boolean): Promise<Ours> {
  const where = runtime();
  const drafts = guesses ? {} : { draftRows: 0 };
  const engine = createEngine({ ...where, threads: null, maxRunning: MOST_STREAMS, log, ...drafts });
  const http = await listen(engineRoutes({ engine, tokenizer: await loadTokenizer(where.model), log }));
  await engine.start(AbortSignal.timeout(START_TIMEOUT_MS));
  const client = new EngineClient(http.url);
  const greedy = (tokens: number) => ({ temperature: 0, max_new_tokens: tokens, ignore_eos: true });
  const decode = async (lora_path: string | null, prompts: number[][], newTokens: number) =>
    seconds(async () => {
      await Promise.all(
        prompts.map(async (input_ids) => {
          const request = { input_ids, lora_path, sampling_params: greedy(newTokens) };
          for await (const chunk of client.stream(request)) void chunk;
        }),
      );
    });
  const firstToken = (input_ids: number[]) =>
    seconds(async () => void (await client.generate({ input_ids, sampling_params: greedy(1) })));
  return {
    name: 'ours',
    decode: (prompts, newTokens) => decode(null, prompts, newTokens),
    turns: async (ids, more) => {
      const first = await firstToken(ids);
      return { first, second: await firstToken([...ids, ...more]) };
    },
    score: (ids, scored) =>
      seconds(async () => {
        await client.generate({
          input_ids: ids,
          sampling_params: { max_new_tokens: 0 },
          return_logprob: true,
          logprob_start_len: ids.length - 1 - scored,
          top_logprobs_num: TOP,
        });
      }),
    withAdapter: decode,
    goOn: (text, newTokens) =>
      seconds(async () => void (await client.generate({ text, sampling_params: greedy(newTokens) }))),
    loadAdapter: (name, folder) =>
      seconds(async () => {
        const { success, error_message } = await client.load(name, folder);
        if (!success) throw new Error(`The adapter did not load: ${error_message}`);
      }),
    unloadAdapter: async (name) => void (await client.unload(name)),
    stop: async () => {
      await engine.stop();
      await http.close();
    },
  };
}

/** The two ways of transformers, over one copy of the model. */
export async function startTransformers(): Promise<{ peer: Peer; contestants: Contestant[] }> {
  const { python, model, device } = runtime();
  const peer = await startPeer(python, [join(import.meta.dirname, 'transformers_peer.py'), model, device]);
  const decode = (op: string) => async (prompts: number[][], new_tokens: number) =>
    secondsOf(await peer.ask({ op, prompts, new_tokens }));
  const continuous = { decode: decode('continuous'), turns: null, score: null };
  return {
    peer,
    contestants: [
      {
        name: 'transformers generate',
        decode: decode('generate'),
        turns: turnsOf(peer),
        score: async (ids, scored) => secondsOf(await peer.ask({ op: 'score', ids, scored, top: TOP })),
      },
      // On an H100 it made 58 tokens/s for 8 requests, where generate made 262: most of the run would be its.
      ...(device === 'cpu' ? [{ name: 'transformers continuous batching', ...continuous }] : []),
    ],
  };
}

/** llama.cpp with each file of the model; none, and why, where it cannot be had. */
export async function startLlamaCpp(): Promise<{ peers: Peer[]; contestants: Contestant[]; why: string }> {
  const module = await nodeLlamaCpp();
  if (module.kind === 'missing') return { peers: [], contestants: [], why: module.why };
  const files = await ggufFiles(runtime().python);
  const peers: Peer[] = [];
  const contestants: Contestant[] = [];
  for (const { name, path } of files) {
    const peer = await startPeer(process.execPath, [
      join(import.meta.dirname, 'llama-cpp-peer.ts'),
      module.path,
      path,
    ]);
    peers.push(peer);
    contestants.push({
      name: `llama.cpp ${name}`,
      decode: async (prompts, new_tokens) =>
        (await peer.ask({ op: 'generate', prompts, new_tokens })).seconds,
      turns: turnsOf(peer),
      score: async (ids, scored) => (await peer.ask({ op: 'score', ids, scored })).seconds,
    });
  }
  return { peers, contestants, why: files.length > 0 ? '' : 'the package of the default model has no GGUF' };
}

function turnsOf(peer: Peer): NonNullable<Contestant['turns']> {
  return async (ids, more) => {
    const { seconds: both, secondSeconds } = await peer.ask({ op: 'turns', ids, more });
    const second = Number(secondSeconds);
    return { first: both - second, second };
  };
}

/** NaN, which makes no row, where there was nothing to measure. */
function secondsOf({ seconds, refused }: Answer): number {
  if (refused === undefined) return seconds;
  process.stderr.write(`${refused}\n`);
  return Number.NaN;
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1_000;
}
