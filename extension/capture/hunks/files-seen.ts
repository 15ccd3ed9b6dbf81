/** Which files are not what they were when they were last known, told by size and time without reading them. */
import { statSync } from 'node:fs';

export class FilesSeen {
  readonly #stamps = new Map<string, string>();

  /** What the file says now is known. */
  note(path: string): void {
    this.#stamps.set(path, stampOf(path));
  }

  /** Of these files, those that changed since; from now on they are known, and no others are. */
  changed(paths: readonly string[]): string[] {
    const changed = paths.filter((path) => this.#stamps.get(path) !== stampOf(path));
    const known = new Set(paths);
    for (const path of this.#stamps.keys()) if (!known.has(path)) this.#stamps.delete(path);
    for (const path of changed) this.note(path);
    return changed;
  }
}

function stampOf(path: string): string {
  try {
    const { size, mtimeMs, ino } = statSync(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch {
    // Not there, or not ours to read: the same to whoever follows it.
    return 'gone';
  }
}
