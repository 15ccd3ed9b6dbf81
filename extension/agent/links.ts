/** Does a path lead where it says? Looks at the disk; which paths are in the workspace is place.ts's. */
import { realpath } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { Place } from './place.ts';

/** Over no link inside the folder, wherever that would lead: out of it, or to where git says nothing of what it ignores. */
export async function leadsOverNoLink({ folder }: Place, path: string): Promise<boolean> {
  try {
    const real = await realpath(folder.path);
    return samePath(resolve(real, relative(folder.path, path)), await realpath(path));
  } catch {
    // Gone, or a link to nothing.
    return false;
  }
}

/** The systems that ignore case tell the names as they are on the disk. */
function samePath(one: string, other: string): boolean {
  const plain = (path: string): string => (process.platform === 'linux' ? path : path.toLowerCase());
  return plain(one) === plain(other);
}
