/**
 * Keeps observations until the agent-server has acknowledged them, across restarts of either. Repeats are
 * harmless because an observation's id never changes.
 */
import { z } from 'zod';
import { BackOff } from '../../agent-server/protocol/back-off.ts';
import { type ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { Observation } from '../../agent-server/protocol/observations.ts';
import type { Log } from '../log.ts';

/** The oldest go first: a next state of long ago teaches least. */
const CAPACITY = 200;
const KEY = 'apprentice.observations';

/** The part of vscode.Memento that is used. */
export interface SpoolMemory {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

/** Errors that the same observation would meet again. */
const PERMANENT: ReadonlySet<ApprenticeError['code']> = new Set([
  'invalid_request',
  'not_found',
  'consent_required',
]);

/** The server is there and cannot take it now: it is asked again. One that is away says by itself that it is back. */
const REFUSED_FOR_NOW: ReadonlySet<ApprenticeError['code']> = new Set([
  'queue_full',
  'disk_full',
  'store_unavailable',
  'timeout',
]);

export class ObservationSpool {
  #queue: Observation[];
  #sending: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #backOff = new BackOff();
  #disposed = false;
  readonly #memory: SpoolMemory;
  readonly #send: (observation: Observation) => Promise<unknown>;
  readonly #log: Log;

  /** `send` resolves once the observation is durable at the server, and throws ApprenticeError. */
  constructor(memory: SpoolMemory, send: (observation: Observation) => Promise<unknown>, log: Log) {
    this.#memory = memory;
    this.#send = send;
    this.#log = log;
    const kept = z.array(Observation).safeParse(memory.get(KEY) ?? []);
    this.#queue = kept.success ? kept.data : [];
    if (!kept.success) log.warn('Observations of an older version were dropped.');
  }

  get size(): number {
    return this.#queue.length;
  }

  /** Keeps it, then tries to send. Resolves when it is kept. */
  async add(observation: Observation): Promise<void> {
    if (this.#queue.some((waiting) => waiting.observationId === observation.observationId)) return;
    this.#queue.push(observation);
    if (this.#queue.length > CAPACITY) {
      this.#queue.shift();
      this.#log.warn(`More than ${CAPACITY} observations wait for the agent-server; the oldest was dropped.`);
    }
    await this.#save();
    void this.flush();
  }

  /** Sends what waits, in order, until the server fails; then again after a while. Calls during a flush join it. */
  flush(): Promise<void> {
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  /** Forgets everything that waits: consent was withdrawn. */
  async clear(): Promise<void> {
    this.#queue = [];
    await this.#save();
  }

  /** Sends nothing more by itself. What waits stays in the memory for the next window. */
  dispose(): void {
    this.#disposed = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = null;
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      try {
        await this.#send(next);
      } catch (thrown) {
        const error = toApprenticeError(thrown);
        if (!PERMANENT.has(error.code)) {
          this.#log.warn(`An observation waits for the agent-server: ${error.message}`);
          if (REFUSED_FOR_NOW.has(error.code)) this.#retryLater();
          return;
        }
        this.#log.error(`The agent-server refused a ${next.kind} observation: ${error.message}`);
      }
      this.#backOff = new BackOff();
      const sent = next;
      this.#queue = this.#queue.filter((waiting) => waiting !== sent);
      await this.#save();
    }
  }

  #retryLater(): void {
    if (this.#disposed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      void this.flush();
    }, this.#backOff.delayMs(0));
  }

  async #save(): Promise<void> {
    await this.#memory.update(KEY, this.#queue);
  }
}
