/**
 * Versions as files of this machine: fetched from the worker that made them, whole or not there at all. The worker's
 * own copy is for its engine and trainer; what is kept, exported, gone back to and forgotten is this one.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pull, type ReadChunk } from '../parcels/pull.ts';
import { INCOMING } from '../promotion/adapter-folders.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { Lineage } from '../protocol/training.ts';
import type { TrainedAnswer } from './link-connection.ts';

export const BATCH_FILES = ['manifest.json', 'batch.safetensors'] as const;
export const VERSION_FILES = ['adapter_config.json', 'lineage.json', 'adapter_model.safetensors'] as const;
const WEIGHTS = 'adapter_model.safetensors';

/**
 * Returns the version's folder, flushed and under its name. One that is there already, with just these weights, is not
 * fetched again; another is replaced. Throws what pulling throws, `transfer_failed` for weights that are not those told.
 */
export async function fetchVersion({
  adapters,
  trained: { version, files, adapterSha256 },
  read,
  signal,
  onProgress,
}: {
  adapters: string;
  trained: TrainedAnswer;
  read: ReadChunk;
  signal: AbortSignal;
  onProgress: (fraction: number) => void;
}): Promise<string> {
  const folder = join(adapters, version);
  if (await isVersion(folder, adapterSha256)) return folder;
  const root = join(adapters, INCOMING);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const parcel = { kind: 'version' as const, version };
  const whole = await pull({ root, parcel, files, read, signal, onProgress });
  if (!(await isVersion(whole, adapterSha256))) {
    await rm(whole, { recursive: true, force: true });
    throw new ApprenticeError(
      'transfer_failed',
      `What the gpu-worker sent as ${version} is not the version it named.`,
      'It is fetched again.',
    );
  }
  await flush(whole);
  await rm(folder, { recursive: true, force: true });
  await rename(whole, folder);
  await flush(adapters);
  return folder;
}

/** Is a version complete there, with these weights? Anything that keeps it from being read says no. */
async function isVersion(folder: string, adapterSha256: string): Promise<boolean> {
  try {
    const lineage = Lineage.parse(JSON.parse(await readFile(join(folder, 'lineage.json'), 'utf8')));
    if (lineage.adapterSha256 !== adapterSha256) return false;
    await readFile(join(folder, 'adapter_config.json'));
    const weights = await readFile(join(folder, WEIGHTS));
    return createHash('sha256').update(weights).digest('hex') === adapterSha256;
  } catch {
    return false;
  }
}

/** Makes names in a folder durable. Windows cannot open a folder, and journals renames. */
async function flush(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
