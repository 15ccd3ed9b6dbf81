/**
 * Takes in a parcel: asks for its files in chunks, several under way at once so that a long line is used, writes them in
 * order, and goes on after a cut from what lies on the disk. It counts only when every file has the size and the
 * sha256 that was told. Giving the finished folder its name is the caller's.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ApprenticeError } from '../protocol/errors.ts';
import {
  type FileName,
  MAX_CHUNK_BYTES,
  type ParcelFile,
  type ParcelName,
  parcelBytes,
  parcelKey,
} from '../protocol/parcel.ts';

/** 2 MiB under way: 200 ms of a line of 10 MB/s. */
const CHUNKS_UNDER_WAY = 8;
/** Left free on the disk beside the parcel. */
const SPARE_BYTES = 64 * 2 ** 20;

export type ReadChunk = (
  parcel: ParcelName,
  file: FileName,
  offset: number,
  length: number,
) => Promise<Uint8Array>;

export interface PullOptions {
  /** Where half a parcel is kept until it is whole. */
  root: string;
  parcel: ParcelName;
  files: readonly ParcelFile[];
  read: ReadChunk;
  signal: AbortSignal;
  /** Share of the bytes that are here, 0 to 1. */
  onProgress?: (fraction: number) => void;
}

/**
 * Resolves with the folder that holds the whole parcel, flushed. Throws what reading throws, with what has come kept for
 * the next attempt; `transfer_failed` when a file is not what was told, with nothing kept; `disk_full`.
 */
export async function pull({ root, parcel, files, read, signal, onProgress }: PullOptions): Promise<string> {
  const folder = join(root, `${parcelKey(parcel)}.${digestOf(files)}`);
  await removeHalves(root, parcel, folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const total = parcelBytes(files);
  const had = await Promise.all(files.map(({ name }) => sizeOf(join(folder, name))));
  await requireSpace(root, total - had.reduce((sum, size) => sum + size, 0));
  let done = 0;
  for (const file of files) {
    const before = done;
    await pullFile(join(folder, file.name), file, {
      read: (offset, length) => read(parcel, file.name, offset, length),
      signal,
      onBytes: (bytes) => {
        done = before + bytes;
        onProgress?.(total === 0 ? 1 : done / total);
      },
    });
    done = before + file.sizeBytes;
  }
  for (const { name, sha256 } of files) {
    if ((await sha256OfFile(join(folder, name))) === sha256) continue;
    await rm(folder, { recursive: true, force: true });
    throw new ApprenticeError(
      'transfer_failed',
      `${name} of ${parcelKey(parcel)} did not arrive as it was sent.`,
      'It is sent again from its beginning.',
    );
  }
  return folder;
}

/** Removes halves that nobody has gone on with for `maxAgeMs`. */
export async function sweepHalves(root: string, nowMs: number, maxAgeMs: number): Promise<void> {
  for (const name of await namesIn(root)) {
    const path = join(root, name);
    const touchedMs = await Promise.all(
      [path, ...(await namesIn(path)).map((file) => join(path, file))].map(modifiedMs),
    );
    if (nowMs - Math.max(...touchedMs) > maxAgeMs) await rm(path, { recursive: true, force: true });
  }
}

/** Removes what has come of a parcel, but for `except`: halves with other content, which nobody will go on with. */
export async function removeHalves(root: string, parcel: ParcelName, except?: string): Promise<void> {
  for (const name of await namesIn(root)) {
    const path = join(root, name);
    if (path !== except && name.startsWith(`${parcelKey(parcel)}.`))
      await rm(path, { recursive: true, force: true });
  }
}

/** A folder's files as they are told to the other side. Throws what the system does for one that cannot be read. */
export async function describeFiles(folder: string, names: readonly FileName[]): Promise<ParcelFile[]> {
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return { name, sizeBytes: (await stat(path)).size, sha256: await sha256OfFile(path) };
    }),
  );
}

async function pullFile(
  path: string,
  { name, sizeBytes }: ParcelFile,
  link: {
    read: (offset: number, length: number) => Promise<Uint8Array>;
    signal: AbortSignal;
    onBytes: (bytes: number) => void;
  },
): Promise<void> {
  const handle = await open(path, 'a', 0o600);
  try {
    let { size } = await handle.stat();
    if (size > sizeBytes) {
      await handle.truncate(0);
      size = 0;
    }
    const underWay: Promise<Uint8Array>[] = [];
    for (let asked = size; size < sizeBytes; ) {
      while (asked < sizeBytes && underWay.length < CHUNKS_UNDER_WAY) {
        const length = Math.min(MAX_CHUNK_BYTES, sizeBytes - asked);
        const chunk = link.read(asked, length);
        // Awaited in its turn; until then its failure is nobody's yet.
        chunk.catch(() => undefined);
        underWay.push(chunk);
        asked += length;
      }
      link.signal.throwIfAborted();
      const bytes = await underWay.shift();
      if (bytes === undefined) throw new Error(`Nothing is asked of ${name}`);
      link.signal.throwIfAborted();
      await handle.appendFile(bytes);
      size += bytes.length;
      link.onBytes(size);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Ten digits that change with every file. */
function digestOf(files: readonly ParcelFile[]): string {
  return createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 10);
}

async function requireSpace(root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= bytes + SPARE_BYTES) return;
  throw new ApprenticeError(
    'disk_full',
    `The disk that holds ${root} has no room for ${Math.ceil(bytes / 2 ** 20)} MiB.`,
    'Free some space; then it goes on by itself.',
  );
}

export async function sha256OfFile(path: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), digest);
  return digest.digest('hex');
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(gone))?.size ?? 0;
}

async function modifiedMs(path: string): Promise<number> {
  return (await stat(path).catch(gone))?.mtimeMs ?? 0;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(gone)) ?? [];
}

function gone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}
