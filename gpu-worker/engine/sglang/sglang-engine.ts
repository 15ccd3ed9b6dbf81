/**
 * SGLang as the worker's engine: requests in, the same events out as the embedded engine's, adapters by their names.
 * SGLang loads an adapter again by itself when a request names one that it once had; here a name that was unloaded is
 * refused. Which server answers is fleet.ts, what crosses is events.ts.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { GenerateResponse } from '../../../agent-server/protocol/engine.ts';
import { ApprenticeError, toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../../agent-server/protocol/link.ts';
import type { EngineReady, RequestEvent, Submit } from '../messages.ts';
import type { WorkerEngine } from '../token-engine.ts';
import { streamGenerate } from './client.ts';
import { EventReader, generateBody } from './events.ts';
import type { Fleet } from './fleet.ts';
import { InUse } from './in-use.ts';
import { waitFor } from './wait-for.ts';

/** Requests that may be under way at once, in all servers. */
const MAX_REQUESTS = 1024;
/** Until a server that was killed is known to be gone. */
const ATTEMPTS = 4;
const AGAIN_AFTER_MS = 250;
/** Requests under way end within this, or the weights stay as they are. */
const DRAIN_LIMIT_MS = 60_000;

export interface SglangEngineOptions {
  /** The model's folder: what its tokenizer was read from. */
  model: string;
  info: EngineReady;
  eosTokenIds: readonly number[];
  fleet: Fleet;
  /** Adapters at once. */
  maxAdapters: number;
  log: (line: string) => void;
}

export class SglangEngine implements WorkerEngine {
  readonly model: string;
  readonly info: EngineReady;
  readonly #options: SglangEngineOptions;
  readonly #fleet: Fleet;
  readonly #several: boolean;
  /** By our id; SGLang has another one, as it aborts every request whose id begins with the one that it is told. */
  readonly #requests = new Map<string, { serverRid: string; started: boolean }>();
  readonly #adapterUse = new InUse();
  /** Unloads under way, by name. */
  readonly #unloading = new Map<string, Promise<void>>();
  /** While weights are changed: requests wait for it. */
  #gate: Promise<void> | null = null;
  #pausedForMs: number | null = null;

  constructor(options: SglangEngineOptions) {
    this.#options = options;
    this.#fleet = options.fleet;
    this.#several = options.fleet.count > 1;
    this.model = options.model;
    this.info = options.info;
  }

  get epoch(): string {
    return this.#fleet.epoch;
  }

  get adapters(): ReadonlyMap<string, string> {
    return this.#fleet.adapters;
  }

  get inFlight(): number {
    return this.#requests.size;
  }

  get running(): number {
    return [...this.#requests.values()].filter(({ started }) => started).length;
  }

  /** How long requests waited at the last change of weights; null: there was none. */
  get pausedForMs(): number | null {
    return this.#pausedForMs;
  }

  state(): ProcessState {
    return this.#fleet.state();
  }

  /** The servers behind it. */
  get fleet(): Pick<Fleet, 'any' | 'pids' | 'router'> {
    return this.#fleet;
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    return this.#fleet.onStateChange(listener);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const settled = Promise.withResolvers<void>();
    const unsubscribe = this.onStateChange(({ state, detail }) => {
      if (state === 'ready') settled.resolve();
      if (state === 'failed')
        settled.reject(
          new ApprenticeError(
            'engine_unavailable',
            detail ?? 'The engine does not start.',
            'See logs/engine.log.',
          ),
        );
    });
    this.#fleet.start();
    try {
      if (this.state().state !== 'ready') await waitFor(settled.promise, signal);
    } finally {
      unsubscribe();
    }
  }

  async stop(): Promise<void> {
    await this.#fleet.stop();
  }

  async *generate(request: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined> {
    signal.throwIfAborted();
    if (this.#requests.has(request.rid))
      throw new ApprenticeError(
        'invalid_request',
        `Request id ${request.rid} is in use.`,
        'Send another rid.',
      );
    if (this.#requests.size >= MAX_REQUESTS)
      throw new ApprenticeError(
        'queue_full',
        `${MAX_REQUESTS} requests are waiting already.`,
        'Try again later.',
      );
    const own = { serverRid: randomUUID(), started: false };
    this.#requests.set(request.rid, own);
    let release: (() => void) | null = null;
    const { eosTokenIds } = this.#options;
    const reader = new EventReader(request, eosTokenIds);
    try {
      while (this.#gate) await waitFor(this.#gate, signal);
      if (request.adapter !== null && !this.#fleet.adapters.has(request.adapter))
        throw new ApprenticeError(
          'adapter_not_loaded',
          `Adapter ${request.adapter} is not loaded.`,
          'Load it first with /load_lora_adapter.',
        );
      release = this.#adapterUse.take(request.adapter);
      const body = generateBody(request, own.serverRid, eosTokenIds);
      const { label } = this.#fleet;
      for await (const chunk of this.#overServers(body, own, signal)) {
        const said = chunk.meta_info.weight_version;
        if (label !== null && said !== label) throw otherWeights(said, label);
        own.started = true;
        yield* reader.take(chunk);
        if (reader.finished) return;
      }
      throw new ApprenticeError(
        'engine_unavailable',
        'The engine ended an answer before its end.',
        'Try again in a moment.',
      );
    } finally {
      this.#requests.delete(request.rid);
      release?.();
      // Leaving has closed the connection; an engine behind a router that keeps it open is told as well.
      if (own.started && !reader.finished) this.#abort(own.serverRid);
    }
  }

  abort(rid: string): void {
    const found = this.#requests.get(rid);
    if (found) this.#abort(found.serverRid);
  }

  abortAll(): void {
    for (const { serverRid } of this.#requests.values()) this.#abort(serverRid);
  }

  async loadAdapter(name: string, folder: string, signal: AbortSignal): Promise<void> {
    const leaving = this.#unloading.get(name);
    if (leaving) await waitFor(leaving, signal);
    const loaded = this.adapters.get(name);
    if (loaded === folder) return;
    if (loaded !== undefined)
      throw new ApprenticeError('adapter_invalid', `${name} is loaded from ${loaded}.`, 'Unload it first.');
    while (this.adapters.size + this.#unloading.size >= this.#options.maxAdapters) {
      if (this.#unloading.size === 0)
        throw new ApprenticeError(
          'queue_full',
          `The engine holds ${this.#options.maxAdapters} adapters already.`,
          'Unload one, or start the worker with a larger --max-adapters.',
        );
      await waitFor(Promise.race(this.#unloading.values()), signal);
    }
    await waitFor(this.#fleet.load(name, folder), signal);
  }

  async unloadAdapter(name: string, signal: AbortSignal): Promise<void> {
    if (!this.adapters.has(name))
      throw new ApprenticeError(
        'adapter_not_loaded',
        `Adapter ${name} is not loaded.`,
        'Nothing was changed.',
      );
    // Waited for here: a server that waits for it itself takes no other adapter meanwhile.
    const gone = this.#fleet.withhold(name, () => this.#adapterUse.free(name));
    this.#unloading.set(
      name,
      gone.catch(() => undefined).finally(() => this.#unloading.delete(name)),
    );
    await waitFor(gone, signal);
  }

  /** A salt that no request bears any more opens nothing: SGLang drops what it keys when it needs the room. */
  async forget(): Promise<void> {}

  async pause(signal: AbortSignal): Promise<void> {
    await waitFor(this.#fleet.pause(), signal);
  }

  async resume(signal: AbortSignal): Promise<void> {
    await waitFor(this.#fleet.resume(), signal);
  }

  /**
   * New requests wait, those under way end with the weights that they began with, and only then are those replaced.
   * Throws `timeout` where they do not end within a minute, and what the servers say: the old weights then go on.
   */
  async updateWeights(folder: string, signal: AbortSignal): Promise<void> {
    while (this.#gate) await waitFor(this.#gate, signal);
    const opened = Promise.withResolvers<void>();
    this.#gate = opened.promise;
    const startedAtMs = performance.now();
    try {
      await waitFor(
        this.#adapterUse.allFree(),
        AbortSignal.any([signal, AbortSignal.timeout(DRAIN_LIMIT_MS)]),
      ).catch((cause) => {
        if (signal.aborted) throw cause;
        throw new ApprenticeError(
          'timeout',
          `Requests were still under way after ${DRAIN_LIMIT_MS / 1000} s.`,
          'The weights were not changed; try again, or abort the requests first.',
          { cause },
        );
      });
      const drainedAtMs = performance.now();
      await this.#fleet.updateWeights(folder);
      this.#pausedForMs = performance.now() - startedAtMs;
      this.#options.log(
        `Weights of ${folder}: requests waited ${Math.round(this.#pausedForMs)} ms, ` +
          `${Math.round(drainedAtMs - startedAtMs)} ms of them for those under way.`,
      );
    } finally {
      this.#gate = null;
      opened.resolve();
    }
  }

  /** The stream of a server, and where one of several goes away before its first token, that of another. */
  async *#overServers(
    body: object,
    request: { started: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<GenerateResponse, void, undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        yield* streamGenerate(this.#fleet.front(), body, signal);
        return;
      } catch (thrown) {
        const gone = thrown instanceof ApprenticeError && thrown.code === 'engine_unavailable';
        if (!gone || request.started || attempt === ATTEMPTS || !this.#several) throw thrown;
        await delay(AGAIN_AFTER_MS * attempt, undefined, { signal });
      }
    }
  }

  #abort(serverRid: string): void {
    this.#fleet
      .abort(serverRid)
      .catch((thrown) =>
        this.#options.log(`A request was not aborted: ${toApprenticeError(thrown).message}`),
      );
  }
}

/** A server that was started again, and of which nobody has noticed it yet. */
function otherWeights(said: string, label: string): ApprenticeError {
  return new ApprenticeError(
    'engine_unavailable',
    `The engine answered with weights ${said} and not with ${label}, which it was given.`,
    'It is given them again; try again in a moment.',
  );
}
