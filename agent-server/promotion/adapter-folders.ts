/**
 * What training left on the disk: is it as it was made, and is it still to be had? Making and loading these folders
 * is the gpu-worker's; what a crash of its own left unfinished it clears away itself.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BASE_VERSION, versionNumber, WeightVersion, weightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import { numbersToDrop } from './thinning.ts';

export interface AdapterFolders {
  /** Are a version's weights on the disk, as they were published? True for the base, which has none. */
  intact(version: WeightVersion): Promise<boolean>;
  /** Deletes the adapters of versions that the store does not know, or that have lost theirs; their moments too. */
  sweep(): Promise<void>;
  /** Deletes the weights of old versions but for `keep` (thinning.ts), never those of the one that serves. */
  thin(): Promise<void>;
  /** After everything was deleted from the store: every adapter, batch, and copy that was set aside. */
  clear(): Promise<void>;
}

const ADAPTERS = 'adapters';
const OPTIMIZERS = 'optimizer';
const BATCHES = 'batches';
const WEIGHTS = 'adapter_model.safetensors';
const MOMENTS = '.safetensors';
/** Neither serving nor about to. */
const OLD: ReadonlySet<string> = new Set(['retired', 'failed']);
/** A worker's run in the making; it removes these itself. */
const UNFINISHED = '.unfinished-';
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
    return row === undefined || (row.folder === null && row.state !== 'training');
  };
  const sweep = async (): Promise<void> => {
    for (const name of await names(join(home, ADAPTERS))) {
      const version = WeightVersion.safeParse(name).data;
      if (version === undefined || !orphaned(version)) continue;
      await remove(ADAPTERS, version);
      await remove(OPTIMIZERS, `${version}${MOMENTS}`);
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
        // Whatever keeps it from being read keeps it from being trained from.
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
      for (const folder of [ADAPTERS, OPTIMIZERS, BATCHES]) {
        for (const name of await names(join(home, folder)))
          if (!name.startsWith(UNFINISHED)) await remove(folder, name);
      }
      for (const name of await names(home)) if (SET_ASIDE.test(name)) await remove(name);
    },
  };
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
