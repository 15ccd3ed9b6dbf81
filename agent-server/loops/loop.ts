/**
 * A worker over a durable queue: wakes on a change of the store or at a due time, handles item by item, retries
 * with back-off, gives an item up after a bounded number of attempts, and keeps the last error visible. What
 * the items are, and where they lie, is the caller's.
 */
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { type ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
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
  /**
   * Handles the item without waiting for anything but the store, where that can be done; false: `handle` has to.
   * Several items are then one transaction, which is many times as fast. Must be idempotent, as `handle`.
   */
  handleNow?(item: Item, nowMs: number): boolean;
  /** Must be idempotent: it is repeated after an error or a crash. */
  handle(item: Item, nowMs: number, signal: AbortSignal): Promise<void> | void;
  /** Takes an item off the queue that failed `maxAttempts` times, with the error on record. */
  giveUp(item: Item, nowMs: number, error: ApprenticeError): void;
  counts(nowMs: number): { queued: number; done: number };
}

export interface LoopOptions {
  onChange(listener: (what: StoreChange) => void): () => void;
  /** Store.together: what is handled within is one transaction. */
  together?: <R>(work: () => R) => R;
  log: Log;
  now?: () => number;
  maxAttempts?: number;
  /** First wait after an error; doubles up to 32 times as long. */
  retryMs?: number;
  /** How long others have the process to themselves after a slice of work, in times its length, if they want it. */
  yieldShare?: number;
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

/** Items that may share a transaction, and how long one may keep everything else in this process waiting. */
const SLICE_ITEMS = 64;
const SLICE_MS = 5;
/**
 * The event loop goes round this often, each time this quickly, when nobody else has work. The sockets take a message
 * each time it goes round: a loop that did not let it would leave them a few messages for every slice.
 */
const IDLE_ROUNDS = 10;
const IDLE_ROUND_MS = 0.1;

/** The store cannot be written now: everything waits, and nothing that waits is at fault. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['disk_full', 'store_unavailable']);

interface Stopped<Item> {
  item: Item;
  /** Null: it has to be waited for. */
  error: ApprenticeError | null;
}

/** Starts the worker; it runs until `stop`. */
export function startLoop<Item>(work: LoopWork<Item>, options: LoopOptions): Loop {
  const { log, now = Date.now, maxAttempts = 5, retryMs = 250, yieldShare = 1 } = options;
  const { together = (work) => work() } = options;
  const stopping = new AbortController();
  let roused = false;
  let endRest = (): void => undefined;
  let paused = false;
  let state: 'idle' | 'working' | 'waiting' | 'failed' = 'idle';
  let detail: string | null = null;
  let attempts = 0;

  const become = (next: typeof state): void => {
    if (next === state) return;
    state = next;
    options.onStatus?.();
  };
  const rouse = (): void => {
    roused = true;
    endRest();
  };
  const unsubscribe = options.onChange((what) => {
    if (work.wakesOn.includes(what)) rouse();
  });

  /** Until something changes, `untilMs` comes or the loop is paused, resumed or stopped. */
  const rest = async (untilMs: number | undefined): Promise<void> => {
    const waitMs = untilMs === undefined ? MAX_WAIT_MS : Math.min(Math.max(untilMs - now(), 0), MAX_WAIT_MS);
    // A wake-up comes with every change of the store: an AbortController for each would cost more than the work.
    await new Promise<void>((resolve) => {
      if (roused) return resolve();
      const timer = setTimeout(resolve, waitMs);
      endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  /**
   * `first` and what follows it, as one transaction, as far as nothing has to be waited for. The item that does,
   * or that failed, is handed back. Throws what keeps the store from being written: then nothing was kept.
   */
  const slice = (first: Item): Stopped<Item> | undefined =>
    together(() => {
      const endMs = performance.now() + SLICE_MS;
      let item: Item | undefined = first;
      for (
        let count = 0;
        item !== undefined && count < SLICE_ITEMS && performance.now() < endMs;
        count += 1
      ) {
        try {
          if (work.handleNow?.(item, now()) !== true) return { item, error: null };
        } catch (thrown) {
          const error = toApprenticeError(thrown);
          if (OUTAGES.has(error.code)) throw error;
          return { item, error };
        }
        attempts = 0;
        detail = null;
        item = work.next(now());
      }
      return undefined;
    });

  /** The items that wait, as far as one slice goes, or a rest. Leaves by exception while the store has an outage. */
  const step = async (): Promise<void> => {
    // Before the queue is read, so that a change in between is not slept over.
    roused = false;
    const first = paused ? undefined : work.next(now());
    if (first === undefined) {
      become('idle');
      return rest(paused ? undefined : work.nextDueMs());
    }
    become('working');
    const beganMs = performance.now();
    const left = work.handleNow ? slice(first) : { item: first, error: null };
    const failed = left && (left.error ?? (await handled(left.item)));
    if (left && failed) await retryLater(left.item, failed);
    // What was waited for has left the process to others all along.
    if (work.handleNow && !left) await letOthers((performance.now() - beganMs) * yieldShare);
    else await setImmediate();
  };

  /** Null when the item is done. */
  const handled = async (item: Item): Promise<ApprenticeError | null> => {
    try {
      await work.handle(item, now(), stopping.signal);
      attempts = 0;
      detail = null;
      return null;
    } catch (thrown) {
      return toApprenticeError(thrown);
    }
  };

  const retryLater = async (item: Item, error: ApprenticeError): Promise<void> => {
    if (stopping.signal.aborted) return;
    // Not the item's fault: it is never given up for it.
    if (OUTAGES.has(error.code)) throw error;
    attempts += 1;
    detail = `${work.describe(item)}: ${error.message}`;
    const of = Number.isFinite(maxAttempts) ? ` of ${maxAttempts}` : '';
    log.warn(`${work.name} loop, attempt ${attempts}${of}: ${detail}`);
    if (attempts >= maxAttempts) {
      work.giveUp(item, now(), error);
      attempts = 0;
      detail = `Gave up on ${detail}`;
      return;
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

/** Others have the process for so long, or until they have nothing more to do. */
async function letOthers(limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  let idle = 0;
  for (let nowMs = performance.now(); nowMs < endMs && idle < IDLE_ROUNDS; ) {
    await setImmediate();
    const roundMs = performance.now() - nowMs;
    idle = roundMs < IDLE_ROUND_MS ? idle + 1 : 0;
    nowMs += roundMs;
  }
}

/** A wait that an abort merely shortens. */
async function pass(waitMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await delay(waitMs, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
