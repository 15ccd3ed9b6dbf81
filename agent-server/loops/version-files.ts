/**
 * Batches and versions as files of this machine: told to a worker, and versions fetched from the one that made them,
 * whole or not there at all. The worker's
 * own copy is for its engine and trainer; what is kept, exported, gone back to and forgotten is this one.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { describeFiles, pull, type ReadChunk } from '../parcels/pull.ts';
import { INCOMING } from '../promotion/adapter-folders.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, WeightVersion } from '../protocol/ids.ts';
import type { ParcelFile } from '../protocol/parcel.ts';
import { Lineage } from '../protocol/training.ts';
import type { TrainedAnswer } from './link-connection.ts';
import { syncFolder } from './sync-folder.ts';

const BATCH_FILES = ['manifest.json', 'batch.safetensors'] as const;
const LINEAGE = 'lineage.json';
const WEIGHTS = 'adapter_model.safetensors';
const ADAPTER_FILES = ['adapter_config.json', LINEAGE, WEIGHTS] as const;

const OwnParent = z.object({ parent: WeightVersion });

/**
 * A batch's files, and the parent that it names: the base where its manifest does not parse, which is the worker's to
 * say. Throws `batch_invalid` for a folder that cannot be read.
 */
export async function describeBatch(folder: string): Promise<{ files: ParcelFile[]; parent: WeightVersion }> {
  try {
    const files = await describeFiles(folder, BATCH_FILES);
    const manifest = await readFile(join(folder, 'manifest.json'), 'utf8');
    return { files, parent: parentIn(manifest) };
  } catch (error) {
    throw unreadable(`The batch in ${folder}`, 'batch_invalid', error);
  }
}

/** A version as it is kept here. Throws `adapter_invalid` when it cannot be read. */
export async function describeVersion(
  adapters: string,
  version: WeightVersion,
): Promise<{ folder: string; files: ParcelFile[]; adapterSha256: string }> {
  const folder = join(adapters, version);
  try {
    const lineage = Lineage.parse(JSON.parse(await readFile(join(folder, LINEAGE), 'utf8')));
    const files = await describeFiles(folder, lineage.weights === 'full' ? [LINEAGE] : ADAPTER_FILES);
    return { folder, files, adapterSha256: lineage.adapterSha256 };
  } catch (error) {
    throw unreadable(`The adapter in ${folder}`, 'adapter_invalid', error);
  }
}

function parentIn(manifest: string): WeightVersion {
  try {
    return OwnParent.parse(JSON.parse(manifest)).parent;
  } catch {
    // The worker reads the whole of it, and says what is wrong.
    return BASE_VERSION;
  }
}

function unreadable(
  what: string,
  code: 'batch_invalid' | 'adapter_invalid',
  error: unknown,
): ApprenticeError {
  const why = error instanceof Error ? error.message : String(error);
  return new ApprenticeError(code, `${what} cannot be read: ${why}.`, 'It is not sent.', { cause: error });
}

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
  const weights = files.find(({ name }) => name === WEIGHTS);
  // Without an adapter it can only be all weights, which stay with the worker: its lineage says whether it is.
  if (weights !== undefined && weights.sha256 !== adapterSha256) throw notIt(version);
  const root = join(adapters, INCOMING);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const parcel = { kind: 'version' as const, version };
  const whole = await pull({ root, parcel, files, read, signal, onProgress });
  // The weights' own hash was looked at by `pull`.
  const lineage = await lineageIn(whole);
  const isWhole = lineage?.weights === 'full' || weights !== undefined;
  if (lineage?.adapterSha256 !== adapterSha256 || !isWhole) {
    await rm(whole, { recursive: true, force: true });
    throw notIt(version);
  }
  await syncFolder(whole);
  await rm(folder, { recursive: true, force: true });
  await rename(whole, folder);
  await syncFolder(adapters);
  return folder;
}

/** Is a version complete there, with these weights? Anything that keeps it from being read says no. */
async function isVersion(folder: string, adapterSha256: string): Promise<boolean> {
  try {
    const lineage = await lineageIn(folder);
    if (lineage?.adapterSha256 !== adapterSha256) return false;
    if (lineage.weights === 'full') return true;
    await readFile(join(folder, 'adapter_config.json'));
    const weights = await readFile(join(folder, WEIGHTS));
    return createHash('sha256').update(weights).digest('hex') === adapterSha256;
  } catch {
    return false;
  }
}

async function lineageIn(folder: string): Promise<Lineage | null> {
  try {
    return Lineage.parse(JSON.parse(await readFile(join(folder, LINEAGE), 'utf8')));
  } catch {
    // Missing or broken, it is no version's.
    return null;
  }
}

function notIt(version: WeightVersion): ApprenticeError {
  return new ApprenticeError(
    'transfer_failed',
    `What the gpu-worker sent as ${version} is not the version it named.`,
    'It is fetched again.',
  );
}
