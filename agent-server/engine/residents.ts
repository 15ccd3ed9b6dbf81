/**
 * Adapters in the engine's memory: loaded when they are asked for, kept while they are leased, the least recently
 * used idle ones unloaded. Which version serves, and waiting for an engine that is away, is serving.ts.
 *
 * *Invariant: a leased version stays loaded until the lease is released*, unless the engine itself restarts.
 */
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import { versionNumber, type WeightVersion } from '../protocol/ids.ts';
import type { Engine } from './engine.ts';

export interface ResidentsOptions {
  engine: Pick<Engine, 'loadAdapter' | 'unloadAdapter'>;
  /** Adapter folder of a version; undefined when it has none on disk. */
  folderOf: (version: WeightVersion) => string | undefined;
  /** Told of an unload that failed: nobody waits for it. */
  onUnloadError: (version: WeightVersion, error: ApprenticeError) => void;
  /** Versions kept loaded without a lease besides the serving one, so that going back is quick. */
  keepIdle: number;
}

export interface Resident {
  readonly version: WeightVersion;
  readonly folder: string;
  leases: number;
  /** Engine epoch that it is loaded in; undefined while it is not. */
  epoch: string | undefined;
  loading: Promise<void> | undefined;
  /** Loads in a row that found the adapter unusable. */
  broken: number;
  /** Forgotten: unloaded as soon as no request uses it. */
  doomed: boolean;
}

/** What is wrong with the adapter itself; the same load would fail again. */
export const BROKEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'adapter_invalid',
  'base_model_mismatch',
  'model_not_found',
]);

/** The adapter may have to be sent to the worker first, over a slow line. Who waits for it has a limit of their own. */
const LOAD_LIMIT_MS = 10 * 60_000;

export class Residents {
  readonly #options: ResidentsOptions;
  /** Least recently used first. The base is in no need of loading and is never here. */
  readonly #byVersion = new Map<WeightVersion, Resident>();
  /** Loads and unloads one after the other: an unload under way must not undo the load that follows it. */
  #operations: Promise<void> = Promise.resolve();
  /** Undefined while there is no engine to talk to. */
  epoch: string | undefined;

  constructor(options: ResidentsOptions) {
    this.#options = options;
  }

  all(): IterableIterator<Resident> {
    return this.#byVersion.values();
  }

  /** Adapters that the engine holds now, oldest version first. */
  loaded(): WeightVersion[] {
    return [...this.#byVersion.values()]
      .filter((one) => this.isLoaded(one))
      .map((one) => one.version)
      .toSorted((a, b) => versionNumber(a) - versionNumber(b));
  }

  isLoaded(resident: Resident): boolean {
    return this.epoch !== undefined && resident.epoch === this.epoch;
  }

  find(version: WeightVersion): Resident | undefined {
    return this.#byVersion.get(version);
  }

  /** The version's place, made when it has none. Throws `model_not_found` for a version without a folder. */
  of(version: WeightVersion): Resident {
    const found = this.touch(version);
    if (found) return found;
    const folder = this.#options.folderOf(version);
    if (folder === undefined)
      throw new ApprenticeError(
        'model_not_found',
        `There is no ${version} on disk.`,
        'Ask GET /v1/models for those there are.',
      );
    const resident: Resident = {
      version,
      folder,
      leases: 0,
      epoch: undefined,
      loading: undefined,
      broken: 0,
      doomed: false,
    };
    this.#byVersion.set(version, resident);
    return resident;
  }

  /** Makes it the most recently used. */
  touch(version: WeightVersion): Resident | undefined {
    const found = this.#byVersion.get(version);
    if (found) {
      this.#byVersion.delete(version);
      this.#byVersion.set(version, found);
    }
    return found;
  }

  load(resident: Resident): Promise<void> {
    resident.loading ??= this.#inOrder(async () => {
      // Read when its turn comes: the engine may have restarted in between.
      const { epoch } = this;
      const { version, folder } = resident;
      try {
        await this.#options.engine.loadAdapter(version, folder, AbortSignal.timeout(LOAD_LIMIT_MS));
      } catch (error) {
        if (BROKEN.has(toApprenticeError(error).code)) resident.broken++;
        throw error;
      }
      resident.epoch = epoch;
      resident.broken = 0;
    }).finally(() => {
      resident.loading = undefined;
    });
    return resident.loading;
  }

  /** Unloads what is idle beyond the bound, and what is doomed and idle. `serving` is neither. */
  evict(serving: WeightVersion): void {
    const idle = [...this.#byVersion.values()].filter((one) => one.leases === 0 && one.version !== serving);
    const wanted = idle.filter(({ doomed }) => !doomed);
    const kept = new Set(wanted.slice(Math.max(0, wanted.length - this.#options.keepIdle)));
    for (const resident of idle) {
      if (kept.has(resident)) continue;
      this.#byVersion.delete(resident.version);
      if (!this.isLoaded(resident)) continue;
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
}
