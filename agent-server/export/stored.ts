/** What is stored, in rows and bytes. Sizes are read anew each time somebody looks. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stored } from '../protocol/data.ts';
import type { Store } from '../store/store.ts';

/** Beside `store.sqlite`: what SQLite has not merged into it yet. */
const STORE_FILES = ['store.sqlite', 'store.sqlite-wal', 'store.sqlite-shm'];
const SET_ASIDE = /\.before-|\.corrupt-/;

export async function stored(home: string, store: Pick<Store, 'storedCounts'>): Promise<Stored> {
  const files = await Promise.all(STORE_FILES.map((name) => sizeOf(join(home, name))));
  const aside = (await namesIn(home)).filter((name) => SET_ASIDE.test(name));
  const asideSizes = await Promise.all(aside.map((name) => sizeOf(join(home, name))));
  const [batches, adapters, optimizer, logs] = await Promise.all([
    sizesOf(home, 'batches', 'worker/received', 'worker/incoming'),
    sizesOf(home, 'adapters', 'worker/adapters'),
    sizesOf(home, 'worker/optimizer'),
    sizeOf(join(home, 'logs')),
  ]);
  return {
    counts: store.storedCounts(),
    bytes: { store: sum(files), batches, adapters, optimizer, logs, setAside: sum(asideSizes) },
    home,
  };
}

/** The worker of this machine has copies of its own. */
async function sizesOf(home: string, ...folders: string[]): Promise<number> {
  return sum(await Promise.all(folders.map((folder) => sizeOf(join(home, folder)))));
}

/** Bytes of a file, or of all files below a folder; 0 for what is gone by the time it is looked at. Links count nothing. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(gone);
  if (found === null) return 0;
  if (!found.isDirectory()) return found.size;
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(gone);
  const files = (entries ?? []).filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (entry) => (await stat(join(entry.parentPath, entry.name)).catch(gone))?.size ?? 0),
  );
  return sum(sizes);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(gone)) ?? [];
}

function gone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
