/** Makes the names in a folder durable, after a rename there. */
import { open } from 'node:fs/promises';

/** Windows cannot open a folder, and journals renames. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
