/** A batch on disk: `batches/<batchId>/` with manifest.json and batch.safetensors, complete or not there at all. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ApprenticeError } from '../protocol/errors.ts';
import type { BatchId } from '../protocol/ids.ts';
import type { BatchManifest } from '../protocol/training.ts';
import { syncFolder } from './sync-folder.ts';

export interface BatchFolders {
  /** Absolute path of a batch's folder, whether it is there or not. */
  path(batchId: BatchId): string;
  /**
   * Writes a batch: synced under a temporary name, then renamed, so that a crash leaves no half folder under
   * the batch's own name. One that is there already is replaced.
   */
  write(manifest: BatchManifest, tensors: Uint8Array): Promise<string>;
  exists(batchId: BatchId): Promise<boolean>;
  /** Throws `disk_full` when the disk may not hold what a training step writes. */
  requireSpace(): Promise<void>;
  remove(batchId: BatchId): Promise<void>;
  /** Deletes every folder but that of the open batch: what a crash left behind. */
  sweep(open: BatchId | undefined): Promise<void>;
}

/** An adapter, its optimizer's moments and their temporary copies, with room to spare. */
const STEP_BYTES = 256 * 2 ** 20;

/** `root`: the home's `batches/`. */
export function batchFolders(root: string): BatchFolders {
  const path = (batchId: BatchId) => join(root, batchId);
  return {
    path,
    write: async (manifest, tensors) => {
      const folder = path(manifest.batchId);
      const temporary = `${folder}.tmp`;
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await writeSynced(join(temporary, 'batch.safetensors'), tensors);
      await writeSynced(join(temporary, 'manifest.json'), JSON.stringify(manifest));
      await rm(folder, { recursive: true, force: true });
      await rename(temporary, folder);
      await syncFolder(root);
      return folder;
    },
    exists: async (batchId) => (await stat(path(batchId)).catch(absent)) !== null,
    requireSpace: async () => {
      const { bavail, bsize } = await statfs(root);
      if (bavail * bsize >= STEP_BYTES) return;
      throw new ApprenticeError(
        'disk_full',
        `Training waits: the disk that holds ${root} has less than ${STEP_BYTES / 2 ** 20} MiB free.`,
        'Free some space; then it goes on by itself.',
      );
    },
    remove: (batchId) => rm(path(batchId), { recursive: true, force: true }),
    sweep: async (keep) => {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const left = (await readdir(root)).filter((name) => name !== keep);
      await Promise.all(left.map((name) => rm(join(root, name), { recursive: true, force: true })));
    },
  };
}

/** Hex sha256, as a manifest names its tensors by. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

async function writeSynced(file: string, content: Uint8Array | string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
