/**
 * Where a path that a model wrote leads: into a folder of the workspace, or nowhere. Pure; what links on the disk make of
 * it is workspace-files.ts's.
 */
import { isAbsolute, relative, resolve, sep } from 'node:path';

/** A folder of the workspace. */
export interface Folder {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

export interface Place {
  readonly folder: Folder;
  /** Absolute. */
  readonly path: string;
}

const MAX_PATH_CHARS = 1_024;

/**
 * Relative paths are those of the only folder; with several the first segment names one, or the first folder is meant.
 * Null: it leads out of all of them, or into what git keeps for itself.
 */
export function placeIn(named: string, folders: readonly Folder[]): Place | null {
  if (named === '' || named.length > MAX_PATH_CHARS || named.includes('\0')) return null;
  const [only, ...others] = folders;
  if (only === undefined) return null;
  if (isAbsolute(named)) return firstWith(folders, resolve(named));
  const [segment = '', ...rest] = named.split(/[/\\]/);
  const of = others.length === 0 ? undefined : folders.find(({ name }) => name === segment);
  const [folder, inside] = of === undefined ? [only, named] : [of, rest.join('/') || '.'];
  return firstWith([folder], resolve(folder.path, inside));
}

/** Is `path` the folder or in it? Both are absolute. */
export function isWithin(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside === '' || (inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside));
}

/** What could make the editor or git run something as soon as it is there: an agent does not write it, reviewed or not. */
export function isConfiguration({ folder, path }: Place): boolean {
  const segments = relative(folder.path, path).toLowerCase().split(sep);
  return segments.includes('.vscode') || segments.at(-1)?.endsWith('.code-workspace') === true;
}

function firstWith(folders: readonly Folder[], path: string): Place | null {
  const folder = folders.find((one) => isWithin(one.path, path));
  if (folder === undefined) return null;
  const segments = relative(folder.path, path).toLowerCase().split(sep);
  return segments.includes('.git') ? null : { folder, path };
}
