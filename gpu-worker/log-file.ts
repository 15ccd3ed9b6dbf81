/** A log of lines with times, that keeps itself and one predecessor under 5 MB each. */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_BYTES = 5_000_000;

/**
 * A function that appends one line to `path`; at 5 MB the file becomes `path.1`. Synchronous: lines are few, and
 * the last ones before a crash are those that matter.
 */
export function logFile(path: string, maxBytes: number = MAX_BYTES): (line: string) => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return (line) => {
    const entry = `${new Date().toISOString()} ${line}\n`;
    const bytes = Buffer.byteLength(entry);
    if (size > 0 && size + bytes > maxBytes) {
      renameSync(path, `${path}.1`);
      size = 0;
    }
    appendFileSync(path, entry, { mode: 0o600 });
    size += bytes;
  };
}
