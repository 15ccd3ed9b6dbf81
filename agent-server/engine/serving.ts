/**
 * Which version answers, and the zero-pause swap: load the new adapter, move the pointer, let running requests
 * end on the version they began with, unload it when the last has. Deciding that a version may serve is left to
 * promotion/; making it known for good (the store) to the train loop.
 *
 * *Invariant: a leased version stays loaded until the lease is released*, unless the engine itself restarts;
 * then leased versions and the serving one are loaded again before anything else is served.
 */
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, versionNumber, type WeightVersion } from '../protocol/ids.ts';
import type { Engine } from './engine.ts';
import { until } from './until.ts';

/** A claim on a loaded version. Release exactly once; a second call changes nothing. */
export interface Lease {
  readonly version: WeightVersion;
  release(): void;
}

export interface ServingOptions {
  engine: Pick<Engine, 'loadAdapter' | 'unloadAdapter'>;
  /** The store's serving version at start. */
  serving: WeightVersion;
  /** Adapter folder of a version; undefined when it has none on disk. */
  folderOf: (version: WeightVersion) => string | undefined;
  /** Told of an unload that failed: nobody waits for it. */
  onUnloadError: (version: WeightVersion, error: ApprenticeError) => void;
  /** Longest wait of a lease for the engine to come (back), model load included. */
  waitMs?: number;
  /** Versions kept loaded without a lease besides the serving one, so that going back is quick. */
  keepIdle?: number;
}

interface Resident {
  readonly version: WeightVersion;
  readonly folder: string;
  leases: number;
  /** Engine epoch that it is loaded in; undefined while it is not. */
  epoch: string | undefined;
  loading: Promise<void> | undefined;
}

const LOAD_LIMIT_MS = 60_000;

export class Serving {
  readonly #options: ServingOptions;
  readonly #waitMs: number;
  readonly #keepIdle: number;
  /** Least recently used first. The base is in no need of loading and is never here. */
  readonly #residents = new Map<WeightVersion, Resident>();
  #serving: WeightVersion;
  /** Undefined while there is no engine to talk to. */
  #epoch: string | undefined;
  #engineBack = Promise.withResolvers<void>();
  /** Loads and unloads one after the other: an unload under way must not undo the load that follows it. */
  #operations: Promise<void> = Promise.resolve();

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#serving = options.serving;
    this.#waitMs = options.waitMs ?? 60_000;
    this.#keepIdle = options.keepIdle ?? 2;
  }

  get version(): WeightVersion {
    return this.#serving;
  }

  /** Adapters that the engine holds now, oldest version first. */
  loaded(): WeightVersion[] {
    return [...this.#residents.values()]
      .filter((one) => this.#isLoaded(one))
      .map((one) => one.version)
      .toSorted((a, b) => versionNumber(a) - versionNumber(b));
  }

  /** Can this version answer, now or after loading it? */
  known(version: WeightVersion): boolean {
    return version === BASE_VERSION || this.#options.folderOf(version) !== undefined;
  }

  /** The engine answers. A new epoch means that it lost its adapters. */
  engineStarted(epoch: string): void {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    for (const resident of this.#residents.values()) {
      if (resident.epoch !== epoch && (resident.leases > 0 || resident.version === this.#serving))
        // The one who waits for the lease sees the error; a later lease loads again.
        this.#load(resident).catch(() => undefined);
    }
    this.#engineBack.resolve();
  }

  /** The engine (or the way to it) is gone: leases wait. */
  engineStopped(): void {
    if (this.#epoch === undefined) return;
    this.#epoch = undefined;
    this.#engineBack = Promise.withResolvers<void>();
  }

  /**
   * A lease on the serving version, or on the named one, loaded. Throws `model_not_found` for a version without
   * a folder, `engine_unavailable` after `waitMs`, `aborted`, and what loading throws.
   */
  async acquire(signal: AbortSignal, named?: WeightVersion): Promise<Lease> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#waitMs)]);
    while (this.#epoch === undefined) await this.#wait(this.#engineBack.promise, limited, signal);
    // Read after the wait: the pointer may have moved meanwhile.
    const version = named ?? this.#serving;
    if (version === BASE_VERSION) return { version, release: () => undefined };
    const resident = this.#resident(version);
    resident.leases++;
    const lease = { version, release: once(() => this.#release(resident)) };
    try {
      while (!this.#isLoaded(resident)) {
        if (this.#epoch === undefined) await this.#wait(this.#engineBack.promise, limited, signal);
        else await this.#wait(this.#load(resident), limited, signal);
      }
    } catch (error) {
      lease.release();
      throw error;
    }
    return lease;
  }

  /**
   * Loads a version, lets `decide` try it and put the decision on record, then makes it the one that new requests
   * get, with no wait between the last two. Throws what loading and `decide` throw; the pointer then stays.
   */
  async swap(version: WeightVersion, decide: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const lease = await this.acquire(signal, version);
    try {
      await decide();
      // It was in use until now, so that going back to it is what is kept quick.
      this.#touch(this.#serving);
      this.#serving = version;
    } finally {
      lease.release();
      this.#evict();
    }
  }

  #isLoaded(resident: Resident): boolean {
    return this.#epoch !== undefined && resident.epoch === this.#epoch;
  }

  #resident(version: WeightVersion): Resident {
    const found = this.#touch(version);
    if (found) return found;
    const folder = this.#options.folderOf(version);
    if (folder === undefined)
      throw new ApprenticeError(
        'model_not_found',
        `There is no ${version} on disk.`,
        'Ask GET /v1/models for those there are.',
      );
    const resident: Resident = { version, folder, leases: 0, epoch: undefined, loading: undefined };
    this.#residents.set(version, resident);
    return resident;
  }

  /** Makes it the most recently used. */
  #touch(version: WeightVersion): Resident | undefined {
    const found = this.#residents.get(version);
    if (found) {
      this.#residents.delete(version);
      this.#residents.set(version, found);
    }
    return found;
  }

  #release(resident: Resident): void {
    resident.leases--;
    this.#evict();
  }

  #load(resident: Resident): Promise<void> {
    resident.loading ??= this.#inOrder(async () => {
      // Read when its turn comes: the engine may have restarted in between.
      const epoch = this.#epoch;
      await this.#options.engine.loadAdapter(
        resident.version,
        resident.folder,
        AbortSignal.timeout(LOAD_LIMIT_MS),
      );
      resident.epoch = epoch;
    }).finally(() => {
      resident.loading = undefined;
    });
    return resident.loading;
  }

  #evict(): void {
    const idle = [...this.#residents.values()].filter(
      (one) => one.leases === 0 && one.version !== this.#serving,
    );
    for (const resident of idle.slice(0, Math.max(0, idle.length - this.#keepIdle))) {
      this.#residents.delete(resident.version);
      if (!this.#isLoaded(resident)) continue;
      const { version } = resident;
      this.#inOrder(() =>
        this.#options.engine.unloadAdapter(version, AbortSignal.timeout(LOAD_LIMIT_MS)),
      ).catch((error) => this.#options.onUnloadError(version, toApprenticeError(error)));
    }
  }

  #inOrder(operation: () => Promise<void>): Promise<void> {
    const done = this.#operations.then(operation);
    // The failure belongs to the caller; the next in line goes on.
    this.#operations = done.catch(() => undefined);
    return done;
  }

  #wait(promise: Promise<void>, limited: AbortSignal, caller: AbortSignal): Promise<void> {
    return until(promise, limited, () =>
      caller.aborted
        ? new ApprenticeError('aborted', 'The request was cancelled while it waited for the engine.', '')
        : new ApprenticeError(
            'engine_unavailable',
            `The engine was not ready within ${this.#waitMs} ms.`,
            'See logs/engine.log; try again.',
          ),
    );
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
