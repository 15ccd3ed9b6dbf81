/**
 * An engine whose versions are all weights of the model: there is room for one at a time, and a version that is asked for
 * takes the place of the one before, or of the base. Requests say by name what they want, as for adapters, and wait while
 * others end; each keeps to the end the weights that it began with. The engine behind it is told of weights only.
 */
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { EngineReady, RequestEvent, Submit } from './messages.ts';
import type { WorkerEngine } from './token-engine.ts';
import { Turnstile } from './turnstile.ts';
import { WeightPauses } from './weight-pauses.ts';

/** Requests that wait for other weights. */
const MAX_WAITING = 1024;
/** A long answer ends within this, and hundreds of gigabytes are read. */
const MAX_WAIT_MS = 10 * 60_000;
/** In the place of a version's name. */
const BASE = null;

export class FullWeightEngine implements WorkerEngine {
  readonly pauses: WeightPauses = new WeightPauses();
  readonly #engine: WorkerEngine;
  /** Name to folder. */
  readonly #versions = new Map<string, string>();
  /** By request id: what ends its wait. */
  readonly #waiting = new Map<string, AbortController>();
  readonly #turnstile: Turnstile<string | null>;
  #epoch: string;

  constructor(engine: WorkerEngine, log: (line: string) => void, maxWaitMs: number = MAX_WAIT_MS) {
    this.#engine = engine;
    this.#epoch = engine.epoch;
    this.#turnstile = new Turnstile<string | null>(BASE, {
      maxWaiting: MAX_WAITING,
      maxWaitMs,
      change: async (name) => {
        const folder = name === BASE ? engine.model : this.#versions.get(name);
        if (folder === undefined) throw notLoaded(String(name));
        await engine.updateWeights(folder, AbortSignal.timeout(maxWaitMs));
      },
      onPause: (name, seconds) => {
        this.pauses.add(seconds);
        log(`Weights of ${name ?? 'the base'}: requests waited ${seconds.toFixed(3)} s.`);
      },
    });
    engine.onStateChange(() => this.#look());
  }

  get model(): string {
    return this.#engine.model;
  }

  get info(): EngineReady | null {
    return this.#engine.info;
  }

  get adapters(): ReadonlyMap<string, string> {
    this.#look();
    return this.#versions;
  }

  get inFlight(): number {
    return this.#engine.inFlight + this.#waiting.size;
  }

  get running(): number {
    return this.#engine.running;
  }

  get epoch(): string {
    return this.#engine.epoch;
  }

  state(): ProcessState {
    return this.#engine.state();
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    return this.#engine.onStateChange(listener);
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#engine.start(signal);
  }

  stop(): Promise<void> {
    return this.#engine.stop();
  }

  async *generate(request: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined> {
    const { rid, adapter } = request;
    this.#look();
    if (adapter !== null && !this.adapters.has(adapter)) throw notLoaded(adapter);
    const waiting = new AbortController();
    this.#waiting.set(rid, waiting);
    const leave = await this.#turnstile
      .enter(adapter, AbortSignal.any([signal, waiting.signal]))
      .finally(() => this.#waiting.delete(rid));
    try {
      yield* this.#engine.generate({ ...request, adapter: null }, signal);
    } finally {
      leave();
    }
  }

  abort(rid: string): void {
    this.#waiting
      .get(rid)
      ?.abort(new ApprenticeError('aborted', 'The request was cancelled while it waited.', ''));
    this.#engine.abort(rid);
  }

  abortAll(): void {
    for (const rid of [...this.#waiting.keys()]) this.abort(rid);
    this.#engine.abortAll();
  }

  /** Resolves when the engine has these weights. Throws `adapter_invalid` where it does not take them. */
  async loadAdapter(name: string, folder: string, signal: AbortSignal): Promise<void> {
    const loaded = this.adapters.get(name);
    if (loaded === folder) return;
    if (loaded !== undefined)
      throw new ApprenticeError('adapter_invalid', `${name} is loaded from ${loaded}.`, 'Unload it first.');
    this.#versions.set(name, folder);
    try {
      const leave = await this.#turnstile.enter(name, signal);
      leave();
    } catch (thrown) {
      this.#versions.delete(name);
      if (!(thrown instanceof ApprenticeError) || thrown.code !== 'invalid_request') throw thrown;
      throw new ApprenticeError(
        'adapter_invalid',
        `The engine did not take the weights of ${name}. ${thrown.message}`,
        'It goes on with those that it has.',
        { cause: thrown },
      );
    }
  }

  /** The weights stay where they are until others are asked for. */
  async unloadAdapter(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.adapters.has(name)) throw notLoaded(name);
    this.#versions.delete(name);
    await this.#turnstile.clear(name, notLoaded(name));
    // Under the same name and in the same place there may be others one day.
    if (this.#turnstile.form === name) this.#turnstile.forget();
  }

  forget(scope: string, signal: AbortSignal): Promise<void> {
    return this.#engine.forget(scope, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return this.#engine.pause(signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#engine.resume(signal);
  }

  async updateWeights(): Promise<void> {
    throw new ApprenticeError(
      'invalid_request',
      'This worker changes its weights to versions of its own.',
      'Load one by its name.',
    );
  }

  /** An engine that was started again has lost what it was given; what it began with then is its own affair. */
  #look(): void {
    if (this.#engine.epoch === this.#epoch) return;
    this.#epoch = this.#engine.epoch;
    this.#versions.clear();
    this.#turnstile.forget();
  }
}

function notLoaded(name: string): ApprenticeError {
  return new ApprenticeError(
    'adapter_not_loaded',
    `Adapter ${name} is not loaded.`,
    'Load it first with /load_lora_adapter.',
  );
}
