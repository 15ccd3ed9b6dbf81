/** The agent-server's log: levels, one line an event, a file that is rotated at 5 MB. Never holds what users wrote. */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

export type Log = Record<LogLevel, (message: string) => void>;

const MAX_SIZE_BYTES = 5 * 1024 * 1024;

/** A log that writes lines at or above `level` to `write`. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const lowest = LEVELS.indexOf(level);
  const at = (name: LogLevel) => (message: string) => {
    if (LEVELS.indexOf(name) < lowest) return;
    write(`${new Date().toISOString()} ${name} ${message.replaceAll('\n', '\n  ')}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * Appends to `file`; at 5 MB the file becomes `<file>.1` and a new one begins. Written at once, line by line, so
 * that the last words of a dying process are on disk. When the disk refuses, the line goes to standard error.
 */
export function logFileWriter(file: string, maxSizeBytes: number = MAX_SIZE_BYTES): (line: string) => void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let sizeBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return (line) => {
    try {
      if (sizeBytes >= maxSizeBytes) {
        renameSync(file, `${file}.1`);
        sizeBytes = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      sizeBytes += Buffer.byteLength(line);
    } catch (error) {
      process.stderr.write(
        `${line}(not in ${file}: ${error instanceof Error ? error.message : String(error)})\n`,
      );
    }
  };
}
