/**
 * A worker over a durable queue: wakes on a change of the store or at a due time, handles item by item, retries
 * with back-off, gives an item up after a bounded number of attempts, and keeps the last error visible. What
 * the items are, and where they lie, is the caller's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { type ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { LoopName, LoopStatus } from '../protocol/panel.ts';
import type { StoreChange } from '../store/store.ts';

export interface LoopWork<Item> {
  name: LoopName;
  /** Changes after which there may be something to do. */
  wakesOn: readonly StoreChange[];
  /** The item to handle now, or undefined. Asked again after every item: it must move on by itself. */
  next(nowMs: number): Item | undefined;
  /** When there will be something to do without a change; undefined: not by itself. */
  nextDueMs(): number | undefined;
  describe(item: Item): string;
  /** Must be idempotent: it is repeated after an error or a crash. */
  handle(item: Item, nowMs: number, signal: AbortSignal): Promise<void> | void;
  /** Takes an item off the queue that failed `maxAttempts` times, with the error on record. */
  giveUp(item: Item, nowMs: number, error: ApprenticeError): void;
  counts(nowMs: number): { queued: number; done: number };
}

export interface LoopOptions {
  onChange(listener: (what: StoreChange) => void): () => void;
  log: Log;
  now?: () => number;
  maxAttempts?: number;
  /** First wait after an error; doubles up to 32 times as long. */
  retryMs?: number;
  /** `status()` would answer something else now. */
  onStatus?: () => void;
}

export interface Loop {
  status(): LoopStatus;
  pause(): void;
  resume(): void;
  /** Ends after the item in hand. */
  stop(): Promise<void>;
}

/** Timers of Node cannot wait longer than this. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Starts the worker; it runs until `stop`. */
export function startLoop<Item>(work: LoopWork<Item>, options: LoopOptions): Loop {
  const { log, now = Date.now, maxAttempts = 5, retryMs = 250 } = options;
  const stopping = new AbortController();
  let wake = new AbortController();
  let paused = false;
  let state: 'idle' | 'working' | 'waiting' | 'failed' = 'idle';
  let detail: string | null = null;
  let attempts = 0;

  const become = (next: typeof state): void => {
    if (next === state) return;
    state = next;
    options.onStatus?.();
  };
  const rouse = (): void => wake.abort();
  const unsubscribe = options.onChange((what) => {
    if (work.wakesOn.includes(what)) rouse();
  });

  /** Until something changes, `untilMs` comes or the loop is paused, resumed or stopped. */
  const rest = async (untilMs: number | undefined): Promise<void> => {
    const waitMs = untilMs === undefined ? MAX_WAIT_MS : Math.min(Math.max(untilMs - now(), 0), MAX_WAIT_MS);
    await pass(waitMs, wake.signal);
  };

  /** One item, or a rest. An error of the queue itself (not of an item) leaves by exception. */
  const step = async (): Promise<void> => {
    // Renewed before the queue is read, so that a change in between is not slept over.
    wake = new AbortController();
    const item = paused ? undefined : work.next(now());
    if (item === undefined) {
      become('idle');
      return rest(paused ? undefined : work.nextDueMs());
    }
    become('working');
    try {
      await work.handle(item, now(), stopping.signal);
      attempts = 0;
      detail = null;
      return;
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      const error = toApprenticeError(thrown);
      attempts += 1;
      detail = `${work.describe(item)}: ${error.message}`;
      log.warn(`${work.name} loop, attempt ${attempts} of ${maxAttempts}: ${detail}`);
      if (attempts >= maxAttempts) {
        work.giveUp(item, now(), error);
        attempts = 0;
        detail = `Gave up on ${detail}`;
        return;
      }
    }
    become('waiting');
    await pass(Math.min(retryMs * 2 ** (attempts - 1), retryMs * 32), stopping.signal);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await step();
      } catch (thrown) {
        if (stopping.signal.aborted) return;
        detail = toApprenticeError(thrown).message;
        become('failed');
        log.error(`${work.name} loop: ${detail}`);
        await pass(retryMs * 32, stopping.signal);
      }
    }
  };
  const running = run();

  return {
    status: () => ({
      name: work.name,
      state: paused ? 'paused' : state,
      ...work.counts(now()),
      detail,
    }),
    pause: () => {
      paused = true;
      rouse();
      options.onStatus?.();
    },
    resume: () => {
      paused = false;
      rouse();
      options.onStatus?.();
    },
    stop: async () => {
      unsubscribe();
      stopping.abort();
      rouse();
      await running;
    },
  };
}

/** A wait that an abort merely shortens. */
async function pass(waitMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await delay(waitMs, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
