/** A log of lines with times, which keeps itself and one predecessor at 5 MB each. */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_BYTES = 5_000_000;

/**
 * A function that appends one line to `path`; at 5 MB the file becomes `path.1`. Synchronous: lines are few, and
 * the last ones before a crash are those that matter. What a full disk refuses goes to standard error.
 */
export function logFile(path: string, maxBytes: number = MAX_BYTES): (line: string) => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return (line) => {
    const entry = `${new Date().toISOString()} ${line}\n`;
    const entryBytes = Buffer.byteLength(entry);
    try {
      if (sizeBytes > 0 && sizeBytes + entryBytes > maxBytes) {
        renameSync(path, `${path}.1`);
        sizeBytes = 0;
      }
      appendFileSync(path, entry, { mode: 0o600 });
      sizeBytes += entryBytes;
    } catch (error) {
      process.stderr.write(`${entry}(${path}: ${error instanceof Error ? error.message : String(error)})\n`);
    }
  };
}
