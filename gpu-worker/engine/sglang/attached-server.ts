/**
 * A server that runs already, started by somebody else: looked at every few seconds. One that has lost an adapter or the
 * weights which it was given was started again in between, and is told of as such.
 */
import { z } from 'zod';
import { ApprenticeError, toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../../agent-server/protocol/link.ts';
import { call, callJson } from './client.ts';
import type { EngineServer, ServerEndpoint } from './foreign-server.ts';

const LOOK_EVERY_MS = 2_000;
/** SGLang's /health lets a token be made, and gives up after 20 s itself. */
const LOOK_LIMIT_MS = 30_000;

/** What it was given. */
export interface Given {
  /** Adapters. */
  adapters(): Iterable<string>;
  /** What it calls its weights; null: anything. */
  label(): string | null;
}

const ModelInfo = z.object({ weight_version: z.string() });
export const ModelList = z.object({ data: z.array(z.object({ id: z.string() })) });

export class AttachedServer implements EngineServer {
  readonly #endpoint: ServerEndpoint;
  readonly #given: Given;
  readonly #log: (line: string) => void;
  readonly #lookEveryMs: number;
  readonly #listeners = new Set<(state: ProcessState) => void>();
  readonly #ending = new AbortController();
  #state: ProcessState = { state: 'starting', restarts: 0, detail: null };
  #timer: NodeJS.Timeout | null = null;

  constructor(options: {
    endpoint: ServerEndpoint;
    given: Given;
    log: (line: string) => void;
    lookEveryMs?: number;
  }) {
    this.#endpoint = options.endpoint;
    this.#given = options.given;
    this.#log = options.log;
    this.#lookEveryMs = options.lookEveryMs ?? LOOK_EVERY_MS;
  }

  state(): ProcessState {
    return this.#state;
  }

  endpoint(): ServerEndpoint | null {
    return this.#state.state === 'ready' ? this.#endpoint : null;
  }

  pid(): null {
    return null;
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    void this.#look();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(LOOK_LIMIT_MS)]);
    try {
      const asked = { method: 'GET', path: '/v1/models', access: 'use' } as const;
      const before = [...this.#given.adapters()];
      const label = this.#given.label();
      // Its models are listed by a process that lives on when the one that computes has died.
      await call(this.#endpoint, { ...asked, path: '/health' }, signal);
      const { data } = await callJson(this.#endpoint, asked, ModelList, signal);
      const there = new Set(data.map(({ id }) => id));
      // Loads and unloads go on meanwhile: lost is what was there before and should be now.
      const now = new Set(this.#given.adapters());
      const lost = before.find((name) => now.has(name) && !there.has(name));
      if (lost !== undefined && this.#state.state === 'ready') this.#away(`has lost ${lost}`);
      if (label !== null && this.#state.state === 'ready') {
        const info = { ...asked, path: '/model_info' } as const;
        const { weight_version } = await callJson(this.#endpoint, info, ModelInfo, signal);
        if (weight_version !== label && this.#given.label() === label)
          this.#away(`has weights ${weight_version} in the place of ${label}`);
      }
      if (this.#state.state !== 'ready') this.#change({ ...this.#state, state: 'ready', detail: null });
    } catch (thrown) {
      if (this.#ending.signal.aborted) return;
      const error =
        thrown instanceof ApprenticeError ? thrown : toApprenticeError(thrown, 'engine_unavailable');
      this.#away(`does not answer: ${error.message}`);
    }
    if (!this.#ending.signal.aborted)
      this.#timer = setTimeout(() => void this.#look(), this.#lookEveryMs).unref();
  }

  #away(why: string): void {
    const detail = `The engine at ${this.#endpoint.url} ${why}`;
    const wasReady = this.#state.state === 'ready';
    if (detail !== this.#state.detail) this.#log(detail);
    const restarts = this.#state.restarts + (wasReady ? 1 : 0);
    if (wasReady || detail !== this.#state.detail) this.#change({ state: 'restarting', restarts, detail });
  }

  #change(state: ProcessState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}
