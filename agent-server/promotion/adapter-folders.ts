/**
 * What training left on the disk: is it as it was made, and is it still to be had? Fetching these folders from the
 * gpu-worker is loops/version-files.ts. A worker's own copies follow the store's word over the link; those of the worker
 * on this machine go at once, whether it runs or not.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BASE_VERSION, versionNumber, WeightVersion, weightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version-types.ts';
import { numbersToDrop } from './thinning.ts';

export interface AdapterFolders {
  /** Are a version's weights on the disk, as they were published? True for the base, which has none. */
  intact(version: WeightVersion): Promise<boolean>;
  /** Deletes the adapters of versions that the store does not know, or that have lost theirs; halves of them too. */
  sweep(): Promise<void>;
  /** Deletes the weights of old versions but for `keep` (thinning.ts), never those of the one that serves. */
  thin(): Promise<void>;
  /** After everything was deleted from the store: every adapter, batch, and copy that was set aside. */
  clear(): Promise<void>;
  /** Versions whose weights may be on some disk: all that are not orphaned, oldest first. */
  known(): WeightVersion[];
}

const ADAPTERS = 'adapters';
const BATCHES = 'batches';
const WEIGHTS = 'adapter_model.safetensors';
/** In `adapters/`: versions that are being fetched, each in a folder that begins with `version-<its name>.` */
export const INCOMING = '.incoming';
/** Of the worker on this machine; `optimizer` alone is where homes had it once. */
const COPIES = join('worker', ADAPTERS);
const OPTIMIZERS = [join('worker', 'optimizer'), 'optimizer'];
/** Endings of the moments of an adapter, and of all weights. */
const MOMENTS = ['safetensors', 'checkpoint'];
const RECEIVED = [join('worker', 'incoming'), join('worker', 'received')];
/** A worker's run in the making; it removes these itself. */
const UNFINISHED = '.unfinished-';
const HALF_OF = /^version-(policy@v\d+)\./;
/** Neither serving nor about to. */
const OLD: ReadonlySet<string> = new Set(['retired', 'failed']);
/** What claim.ts and the store set aside, next to what took its place. */
const SET_ASIDE = /^(?:adapters|optimizer|batches)\.before-|^store\.sqlite\.corrupt-/;

/** `keep`: the versions that keep their weights. */
export function adapterFolders(
  home: string,
  store: Pick<Store, 'version' | 'versions' | 'dropWeights'>,
  keep: number,
): AdapterFolders {
  const remove = (...path: string[]) => rm(join(home, ...path), { recursive: true, force: true });
  /** Without a folder of its own, unless it is about to get one. */
  const orphaned = (version: WeightVersion): boolean => {
    const row = store.version(version);
    return row === undefined || !hasFiles(row);
  };
  const sweep = async (): Promise<void> => {
    for (const folder of [ADAPTERS, COPIES]) {
      for (const name of await names(join(home, folder))) {
        const version = WeightVersion.safeParse(name).data;
        if (version === undefined || !orphaned(version)) continue;
        await remove(folder, version);
        for (const optimizers of OPTIMIZERS)
          for (const ending of MOMENTS) await remove(optimizers, `${version}.${ending}`);
      }
    }
    for (const name of await names(join(home, ADAPTERS, INCOMING))) {
      const version = WeightVersion.safeParse(HALF_OF.exec(name)?.[1]).data;
      if (version === undefined || orphaned(version)) await remove(ADAPTERS, INCOMING, name);
    }
  };
  return {
    intact: async (version) => {
      const made = store.version(version)?.adapterSha256;
      if (made === null || made === undefined) return version === BASE_VERSION;
      try {
        const bytes = await readFile(join(home, ADAPTERS, version, WEIGHTS));
        return createHash('sha256').update(bytes).digest('hex') === made;
      } catch {
        // Whatever keeps it from being read keeps it from being trained from. All weights are not here: they are lost
        // when the worker says so.
        return false;
      }
    },
    sweep,
    thin: async () => {
      const old = store.versions().filter(({ folder, state }) => folder !== null && OLD.has(state));
      const numbers = old.map(({ version }) => versionNumber(version));
      const dropped = numbersToDrop(numbers, keep).map(weightVersion);
      if (dropped.length === 0) return;
      // The store's word first: a crash in between leaves folders that the next sweep deletes.
      store.dropWeights(dropped);
      await sweep();
    },
    clear: async () => {
      for (const folder of [ADAPTERS, COPIES, BATCHES, ...OPTIMIZERS, ...RECEIVED]) {
        for (const name of await names(join(home, folder)))
          if (!name.startsWith(UNFINISHED)) await remove(folder, name);
      }
      for (const name of await names(home)) if (SET_ASIDE.test(name)) await remove(name);
    },
    known: () =>
      store
        .versions()
        .filter((row) => row.version !== BASE_VERSION && hasFiles(row))
        .map(({ version }) => version),
  };
}

/** Those of the base are not ours. */
function hasFiles({ folder, state }: Pick<Version, 'folder' | 'state'>): boolean {
  return folder !== null || state === 'training';
}

/** Names in a folder; none where it is not there yet. */
async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
