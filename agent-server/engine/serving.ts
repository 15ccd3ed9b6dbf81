/**
 * Which version answers, and the zero-pause swap: load the new adapter, move the pointer, let running requests
 * end on the version they began with, unload it when the last has. When the version that serves cannot be loaded,
 * requests go on with the one that `onLost` names. Adapters in memory are residents.ts; deciding what may serve,
 * and making it known for good (the store), is left to the callers.
 *
 * *Invariant: after an engine restart leased versions and the serving one are loaded again before they answer.*
 */
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, type WeightVersion } from '../protocol/ids.ts';
import { BROKEN, Residents, type ResidentsOptions } from './residents.ts';
import { until } from './until.ts';

/** A claim on a loaded version. Release exactly once; a second call changes nothing. */
export interface Lease {
  readonly version: WeightVersion;
  release(): void;
}

export interface ServingOptions extends Omit<ResidentsOptions, 'keepIdle'> {
  /** The store's serving version at start. */
  serving: WeightVersion;
  /**
   * The serving version's adapter is damaged, gone, or another base's: puts that on record and names the version
   * that serves instead. Undefined, or not given: there is none, and requests fail.
   */
  onLost?: (version: WeightVersion, error: ApprenticeError) => WeightVersion | undefined;
  /** Longest wait of a lease for the engine to come (back), model load included. */
  waitMs?: number;
  /** Versions kept loaded without a lease besides the serving one, so that going back is quick. */
  keepIdle?: number;
}

/** A disk that fails once may only have been busy. */
const LOADS_BEFORE_LOST = 2;

export class Serving {
  readonly #options: ServingOptions;
  readonly #waitMs: number;
  readonly #residents: Residents;
  #serving: WeightVersion;
  #engineBack = Promise.withResolvers<void>();

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#serving = options.serving;
    this.#waitMs = options.waitMs ?? 60_000;
    this.#residents = new Residents({ ...options, keepIdle: options.keepIdle ?? 2 });
  }

  get version(): WeightVersion {
    return this.#serving;
  }

  /** Adapters that the engine holds now, oldest version first. */
  loaded(): WeightVersion[] {
    return this.#residents.loaded();
  }

  /** Can this version answer, now or after loading it? */
  known(version: WeightVersion): boolean {
    return version === BASE_VERSION || this.#options.folderOf(version) !== undefined;
  }

  /** The engine answers. A new epoch means that it lost its adapters. */
  engineStarted(epoch: string): void {
    if (this.#residents.epoch === epoch) return;
    this.#residents.epoch = epoch;
    for (const resident of this.#residents.all()) {
      if (resident.epoch !== epoch && resident.leases > 0 && resident.version !== this.#serving)
        // The one who waits for the lease sees the error; a later lease loads again.
        this.#residents.load(resident).catch(() => undefined);
    }
    this.#engineBack.resolve();
    // Loaded before it is asked for. Whether it can be is found out here, and not by the first request, which would
    // see an error that this does not handle.
    this.acquire(AbortSignal.timeout(this.#waitMs)).then(
      (lease) => lease.release(),
      () => undefined,
    );
  }

  /** The engine (or the way to it) is gone: leases wait. */
  engineStopped(): void {
    if (this.#residents.epoch === undefined) return;
    this.#residents.epoch = undefined;
    this.#engineBack = Promise.withResolvers<void>();
  }

  /**
   * A lease on the serving version, or on the named one, loaded. Throws `model_not_found` for a version without
   * a folder, `engine_unavailable` after `waitMs`, `aborted`, and what loading throws.
   */
  async acquire(signal: AbortSignal, named?: WeightVersion): Promise<Lease> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#waitMs)]);
    for (;;) {
      while (this.#residents.epoch === undefined) await this.#wait(this.#engineBack.promise, limited, signal);
      // Read after the wait: the pointer may have moved meanwhile.
      const version = named ?? this.#serving;
      if (version === BASE_VERSION) return { version, release: () => undefined };
      try {
        return await this.#lease(version, limited, signal);
      } catch (thrown) {
        const error = toApprenticeError(thrown);
        if (!this.#worthAnother(version, error) || named !== undefined) throw error;
      }
    }
  }

  /**
   * Loads a version and lets `decide` try it and put the decision on record; when it answers true, new requests get
   * the version, with no wait in between. Throws what loading and `decide` throw; the pointer then stays.
   */
  async swap(version: WeightVersion, decide: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const lease = await this.acquire(signal, version);
    try {
      if (await decide()) this.#point(version);
    } finally {
      lease.release();
      this.#residents.evict(this.#serving);
    }
  }

  /**
   * Goes back to a version that has served before, as soon as it is loaded; at once while the engine is away.
   * `record` puts it on record. Throws what loading and `record` throw, and then nothing has changed.
   */
  async goTo(version: WeightVersion, record: () => void, signal: AbortSignal): Promise<void> {
    const away = this.#residents.epoch === undefined;
    const lease = away ? undefined : await this.acquire(signal, version);
    try {
      record();
      this.#point(version);
    } finally {
      lease?.release();
      this.#residents.evict(this.#serving);
    }
  }

  /** These are not to be gone back to: they are unloaded once no request uses them. */
  forget(versions: readonly WeightVersion[]): void {
    for (const version of versions) {
      const resident = this.#residents.find(version);
      if (resident) resident.doomed = true;
    }
    this.#residents.evict(this.#serving);
  }

  /** The adapter on the disk is no good, loaded or not. Returns whether another version serves instead. */
  lose(version: WeightVersion, error: ApprenticeError): boolean {
    if (version !== this.#serving) return true;
    const instead = this.#options.onLost?.(version, error);
    if (instead === undefined || instead === version) return false;
    this.#serving = instead;
    this.forget([version]);
    return true;
  }

  #point(version: WeightVersion): void {
    // It was in use until now, so that going back to it is what is kept quick.
    this.#residents.touch(this.#serving);
    this.#serving = version;
  }

  async #lease(version: WeightVersion, limited: AbortSignal, signal: AbortSignal): Promise<Lease> {
    const resident = this.#residents.of(version);
    resident.leases++;
    const release = once(() => {
      resident.leases--;
      this.#residents.evict(this.#serving);
    });
    try {
      while (!this.#residents.isLoaded(resident)) {
        const away = this.#residents.epoch === undefined;
        await this.#wait(away ? this.#engineBack.promise : this.#residents.load(resident), limited, signal);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { version, release };
  }

  /** After a failed lease: another version serves by now, or this one may be tried once more. */
  #worthAnother(version: WeightVersion, error: ApprenticeError): boolean {
    if (!BROKEN.has(error.code)) return false;
    if (version !== this.#serving) return true;
    const resident = this.#residents.find(version);
    if (resident && resident.broken < LOADS_BEFORE_LOST) return true;
    return this.lose(version, error);
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
