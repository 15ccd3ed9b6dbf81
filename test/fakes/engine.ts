/**
 * A deterministic engine without a model, behind the real routes over real HTTP. Answers come from a script; every
 * (position, version) has a fixed distribution over ids, so scoring an answer gives what generating it gave.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { EngineReady, RequestEvent, Submit } from '../../gpu-worker/engine/messages.ts';
import { EngineMetrics } from '../../gpu-worker/engine/metrics.ts';
import { engineRoutes } from '../../gpu-worker/engine/routes.ts';
import type { TokenEngine } from '../../gpu-worker/engine/token-engine.ts';
import { ModelTokenizer } from '../../gpu-worker/engine/tokenizer.ts';
import { CHAT_END_ID, FAKE_VOCABULARY_SIZE, fakeTokenizerFiles } from './tokenizer.ts';

/** Each rank is this much less likely than the one before. */
const DECAY = 0.9;
const CONTEXT_LENGTH = 8192;

export interface FakeEngineOptions {
  /** What is answered to a prompt under an adapter (null: the base). Ends with the end token by itself. */
  answer?: (prompt: string, adapter: string | null) => string;
  /** Awaited before each token: a test holds a stream by what this returns. */
  beforeToken?: (request: Submit, index: number) => Promise<void>;
  /** A request has ended, in whatever way. */
  ended?: (request: Submit) => void;
  /** Bearer key of every route; null: none. */
  key?: string | null;
}

/** log p of the id `rank` places after the favourite of its position. A geometric distribution over all ids. */
function logprobAt(position: number, adapter: string | null, id: number): number {
  const rank = (id - favourite(position, adapter) + FAKE_VOCABULARY_SIZE) % FAKE_VOCABULARY_SIZE;
  return Math.log((1 - DECAY) / (1 - DECAY ** FAKE_VOCABULARY_SIZE)) + rank * Math.log(DECAY);
}

function favourite(position: number, adapter: string | null): number {
  const version = Number(adapter?.match(/\d+$/)?.[0] ?? 0);
  return (position * 31 + version * 17) % FAKE_VOCABULARY_SIZE;
}

function topList(position: number, adapter: string | null, count: number): [number, number][] {
  return Array.from({ length: count }, (_, rank) => {
    const id = (favourite(position, adapter) + rank) % FAKE_VOCABULARY_SIZE;
    return [logprobAt(position, adapter, id), id];
  });
}

export class FakeTokenEngine implements TokenEngine {
  readonly model = '/fake/model';
  readonly info: EngineReady = {
    type: 'ready',
    vocab_size: FAKE_VOCABULARY_SIZE,
    device: 'none',
    dtype: 'none',
  };
  readonly adapters = new Map<string, string>();
  /** Every request that came, in order. */
  readonly requests: Submit[] = [];
  readonly #tokenizer: ModelTokenizer;
  readonly #options: FakeEngineOptions;
  readonly #active = new Map<string, { submit: Submit; abort: AbortController }>();
  readonly #cached: { scope: string; adapter: string | null; ids: readonly number[] }[] = [];
  #paused: PromiseWithResolvers<void> | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(tokenizer: ModelTokenizer, options: FakeEngineOptions) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  get inFlight(): number {
    return this.#active.size;
  }

  get running(): number {
    return this.#active.size;
  }

  state(): ProcessState {
    return { state: 'ready', restarts: 0, detail: null };
  }

  async *generate(submit: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined> {
    signal.throwIfAborted();
    if (submit.adapter !== null && !this.adapters.has(submit.adapter)) {
      throw new ApprenticeError(
        'adapter_not_loaded',
        `Adapter ${submit.adapter} is not loaded.`,
        'Load it first.',
      );
    }
    this.requests.push(submit);
    const abort = new AbortController();
    this.#active.set(submit.rid, { submit, abort });
    const done: number[] = [];
    try {
      yield this.#input(submit);
      const script = this.#script(submit);
      for (const [index, id] of script.entries()) {
        await this.#untilAllowed(submit, index, AbortSignal.any([signal, abort.signal]));
        signal.throwIfAborted();
        if (abort.signal.aborted) {
          yield finish(submit.rid, 'abort', null);
          return;
        }
        done.push(id);
        yield this.#token(submit, index, id);
      }
      const last = script.at(-1);
      const stopped = last !== undefined && submit.stop_token_ids.includes(last);
      yield finish(submit.rid, stopped ? 'stop' : 'length', stopped ? last : null);
    } finally {
      this.#cached.push({
        scope: submit.scope,
        adapter: submit.adapter,
        ids: [...submit.input_ids, ...done],
      });
      this.#active.delete(submit.rid);
      this.#options.ended?.(submit);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers<void>();
    }
  }

  /** Waits out a pause and the test's own hold; an abort ends both. */
  async #untilAllowed(submit: Submit, index: number, ended: AbortSignal): Promise<void> {
    if (ended.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    ended.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([promise, this.#options.beforeToken?.(submit, index)]);
    await Promise.race([promise, this.#paused?.promise]);
  }

  abort(rid: string): void {
    this.#active.get(rid)?.abort.abort();
  }

  abortAll(): void {
    for (const { abort } of this.#active.values()) abort.abort();
  }

  async loadAdapter(name: string, folder: string): Promise<void> {
    const loaded = this.adapters.get(name);
    if (loaded === folder) return;
    if (loaded !== undefined)
      throw new ApprenticeError('adapter_invalid', `${name} is loaded already.`, 'Unload it.');
    try {
      JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
      await readFile(join(folder, 'adapter_model.safetensors'));
    } catch (error) {
      throw new ApprenticeError('adapter_invalid', `${folder} is not an adapter.`, 'Nothing was changed.', {
        cause: error,
      });
    }
    this.adapters.set(name, folder);
  }

  async unloadAdapter(name: string): Promise<void> {
    if (!this.adapters.delete(name)) {
      throw new ApprenticeError(
        'adapter_not_loaded',
        `Adapter ${name} is not loaded.`,
        'Nothing was changed.',
      );
    }
    while ([...this.#active.values()].some(({ submit }) => submit.adapter === name))
      await this.#changed.promise;
  }

  async forget(scope: string): Promise<void> {
    this.#cached.splice(0, this.#cached.length, ...this.#cached.filter((entry) => entry.scope !== scope));
  }

  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers<void>();
  }

  async resume(): Promise<void> {
    this.#paused?.resolve();
    this.#paused = null;
  }

  async updateWeights(): Promise<void> {
    this.#cached.length = 0;
  }

  #script(submit: Submit): number[] {
    const prompt = this.#tokenizer.decode(submit.input_ids, { skipSpecialTokens: false });
    const answer = this.#options.answer?.(prompt, submit.adapter) ?? 'fix: answer what was asked';
    const ids = [...this.#tokenizer.encode(answer, { addSpecialTokens: false }), CHAT_END_ID];
    const stop = ids.findIndex((id) => submit.stop_token_ids.includes(id));
    // Without a stop token it goes on, as a model would, to the length that was asked for.
    const endless =
      stop >= 0
        ? ids.slice(0, stop + 1)
        : Array.from({ length: submit.max_new_tokens }, (_, i) => ids[i % ids.length] ?? 0);
    return endless.slice(0, submit.max_new_tokens);
  }

  #input(submit: Submit): RequestEvent {
    const { rid, scope, input_ids, adapter, logprob_start_len: start, top_logprobs_num: top } = submit;
    const scored = submit.return_logprob && start >= 0 ? input_ids.slice(start) : [];
    const limit = scored.length > 0 ? Math.min(start, input_ids.length - 1) : input_ids.length - 1;
    const shared = (ids: readonly number[]) => {
      const differs = input_ids.findIndex((id, index) => ids[index] !== id);
      return Math.min(limit, differs < 0 ? input_ids.length : differs);
    };
    const candidates = this.#cached
      .filter((entry) => entry.adapter === adapter && entry.scope === scope)
      .map((entry) => shared(entry.ids));
    return {
      type: 'input',
      rid,
      cached_tokens: Math.max(0, ...candidates),
      logprobs: scored.map((id, index) => (index === 0 ? null : logprobAt(start + index, adapter, id))),
      top:
        top > 0
          ? scored.map((_, index) => (index === 0 ? null : topList(start + index, adapter, top)))
          : null,
    };
  }

  #token(submit: Submit, index: number, id: number): RequestEvent {
    const { rid, adapter, return_logprob, top_logprobs_num: top } = submit;
    const position = submit.input_ids.length + index;
    return {
      type: 'tokens',
      rid,
      ids: [id],
      logprobs: return_logprob ? [logprobAt(position, adapter, id)] : null,
      top: return_logprob && top > 0 ? [topList(position, adapter, top)] : null,
    };
  }
}

function finish(rid: string, reason: 'stop' | 'length' | 'abort', matched: number | null): RequestEvent {
  return { type: 'finish', rid, reason, matched, code: null, message: null };
}

export interface FakeEngine {
  url: string;
  engine: FakeTokenEngine;
  close: () => Promise<void>;
}

/** Listens on a loopback port of the system's choice. */
export async function startFakeEngine(options: FakeEngineOptions = {}): Promise<FakeEngine> {
  const tokenizer = new ModelTokenizer(fakeTokenizerFiles(CONTEXT_LENGTH));
  const engine = new FakeTokenEngine(tokenizer, options);
  const app = new Hono();
  if (options.key) app.use(bearerAuth({ token: options.key }));
  const log = (line: string) => process.stderr.write(`${line}\n`);
  app.route('/', engineRoutes({ engine, tokenizer, log, metrics: new EngineMetrics(engine) }));
  return { engine, ...(await listen(app)) };
}

/** Serves an app over HTTP on loopback. */
export async function listen(app: Hono): Promise<{ url: string; close: () => Promise<void> }> {
  const server: Server = createServer(getRequestListener(app.fetch));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
