/** Files that are either whole on the disk or not there: flushing, and removing what may be gone. */
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Flushes a file's bytes to the disk. */
export async function flushFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes a file, or a folder with all that is in it. */
export async function flushAll(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) return await flushFile(path);
  for (const name of await readdir(path)) await flushAll(join(path, name));
  await flushFolder(path);
}

/** Flushes a folder's list of names. Windows has no such call, and orders its own metadata. */
export async function flushFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a flushed file or folder its name; after it returns, the name survives a power cut. */
export async function publish(from: string, to: string): Promise<void> {
  await rename(from, to);
  await flushFolder(dirname(to));
}

/** Removes a file or a folder with all that is in it, if it is there. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
