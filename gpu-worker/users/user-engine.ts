/**
 * The one engine as one user of the worker sees it. Adapters and request ids are the user's own: inside they bear the
 * user's id, which nobody can send, so that a name of another's is one that is not loaded. What is counted, ended or
 * unloaded here is of this user alone.
 */

import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { EngineReady, RequestEvent, Submit } from '../engine/messages.ts';
import type { TokenEngine } from '../engine/token-engine.ts';

/** Half of what the engine takes in all: the other half is there for others. */
const MAX_REQUESTS = 128;
/** An agent-server keeps a handful loaded. */
const MAX_ADAPTERS = 32;
/** A request that was aborted lets go of its adapter within a step. */
const UNLOAD_LIMIT_MS = 10_000;

export interface UserEngineOptions {
  engine: TokenEngine;
  /** The user's id: a UUID, or a word without a colon. */
  id: string;
  /** Is this the only user that the worker has? */
  alone: () => boolean;
}

export class UserEngine implements TokenEngine {
  readonly #engine: TokenEngine;
  readonly #id: string;
  readonly #prefix: string;
  readonly #alone: () => boolean;
  /** By the user's request id: has its prompt been read? */
  readonly #requests = new Map<string, boolean>();
  #ended = false;

  constructor({ engine, id, alone }: UserEngineOptions) {
    this.#engine = engine;
    this.#id = id;
    this.#prefix = `${id}:`;
    this.#alone = alone;
  }

  get model(): string {
    return this.#engine.model;
  }

  get info(): EngineReady | null {
    return this.#engine.info;
  }

  /** The user's own, by the names that the user gave them. */
  get adapters(): ReadonlyMap<string, string> {
    const own = [...this.#engine.adapters].filter(([name]) => name.startsWith(this.#prefix));
    return new Map(own.map(([name, folder]) => [name.slice(this.#prefix.length), folder]));
  }

  get inFlight(): number {
    return this.#requests.size;
  }

  get running(): number {
    return [...this.#requests.values()].filter((started) => started).length;
  }

  state(): ProcessState {
    return this.#engine.state();
  }

  async *generate(request: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined> {
    const { rid, adapter } = request;
    this.#requireUser();
    if (adapter !== null) this.#requireLoaded(adapter);
    if (this.#requests.has(rid))
      throw new ApprenticeError('invalid_request', `Request id ${rid} is in use.`, 'Send another rid.');
    if (this.#requests.size >= MAX_REQUESTS)
      throw new ApprenticeError(
        'queue_full',
        `${MAX_REQUESTS} requests of yours are waiting already.`,
        'Try again later.',
      );
    const inside: Submit = {
      ...request,
      rid: this.#inside(rid),
      scope: this.#id,
      adapter: adapter === null ? null : this.#inside(adapter),
    };
    this.#requests.set(rid, false);
    try {
      for await (const event of this.#engine.generate(inside, signal)) {
        this.#requests.set(rid, true);
        yield { ...event, rid };
      }
    } catch (thrown) {
      throw this.#told(thrown);
    } finally {
      this.#requests.delete(rid);
    }
  }

  abort(rid: string): void {
    this.#engine.abort(this.#inside(rid));
  }

  abortAll(): void {
    for (const rid of this.#requests.keys()) this.abort(rid);
  }

  async loadAdapter(name: string, folder: string, signal: AbortSignal): Promise<void> {
    this.#requireUser();
    const { adapters } = this;
    if (!adapters.has(name) && adapters.size >= MAX_ADAPTERS)
      throw new ApprenticeError(
        'queue_full',
        `${name} is one too many: ${MAX_ADAPTERS} of yours are loaded.`,
        'Unload one first.',
      );
    await this.#telling(() => this.#engine.loadAdapter(this.#inside(name), folder, signal));
    // Removed meanwhile: nobody would ever unload it.
    if (this.#ended) await this.unloadAll();
  }

  async unloadAdapter(name: string, signal: AbortSignal): Promise<void> {
    this.#requireLoaded(name);
    await this.#telling(() => this.#engine.unloadAdapter(this.#inside(name), signal));
  }

  /** Ends what runs and takes every adapter of the user out; an engine that is down has lost them by itself. */
  async unloadAll(): Promise<void> {
    this.abortAll();
    for (const name of this.adapters.keys()) {
      try {
        await this.unloadAdapter(name, AbortSignal.timeout(UNLOAD_LIMIT_MS));
      } catch (error) {
        if (this.adapters.has(name)) throw error;
      }
    }
  }

  /** `scope` is not looked at: it is always the user's own. */
  async forget(_scope: string, signal: AbortSignal): Promise<void> {
    await this.#engine.forget(this.#id, signal);
  }

  /** Of the whole engine: refused where others would stand still too. */
  async pause(signal: AbortSignal): Promise<void> {
    if (!this.#alone())
      throw new ApprenticeError(
        'invalid_request',
        'This worker serves other users too, and is not paused.',
        'Abort requests of your own with /abort_request.',
      );
    await this.#engine.pause(signal);
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.#engine.resume(signal);
  }

  /** The base is everybody's. */
  async updateWeights(): Promise<void> {
    throw new ApprenticeError(
      'invalid_request',
      'This worker does not change its base model while it runs.',
      'Start it with another --model.',
    );
  }

  /** Nothing is taken in from the call on; resolves when the engine holds nothing of the user's. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.unloadAll();
    if (this.state().state === 'ready') await this.forget(this.#id, AbortSignal.timeout(UNLOAD_LIMIT_MS));
  }

  #inside(name: string): string {
    return `${this.#prefix}${name}`;
  }

  #requireUser(): void {
    if (this.#ended)
      throw new ApprenticeError('unauthorized', 'This user was removed.', 'Ask whoever runs the worker.');
  }

  #requireLoaded(name: string): void {
    if (!this.#engine.adapters.has(this.#inside(name)))
      throw new ApprenticeError(
        'adapter_not_loaded',
        `Adapter ${name} is not loaded.`,
        'Load it first with /load_lora_adapter.',
      );
  }

  async #telling(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      throw this.#told(thrown);
    }
  }

  /** The engine's error in the user's own names. */
  #told(thrown: unknown): unknown {
    if (!(thrown instanceof ApprenticeError) || !thrown.message.includes(this.#prefix)) return thrown;
    const { code, message, remedy } = thrown;
    return new ApprenticeError(code, message.replaceAll(this.#prefix, ''), remedy, { cause: thrown });
  }
}
