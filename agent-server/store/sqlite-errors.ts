/** What SQLite's own errors mean to the rest: a full disk, a damaged file, or a fault of ours. */
import { ApprenticeError } from '../protocol/errors.ts';

/** Primary result codes (https://sqlite.org/rescode.html). */
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code, -1 when the error is none of SQLite's. */
function codeOf(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return -1;
  return error.errcode & 0xff;
}

/** The file holds what SQLite never wrote. */
export function isDamage(error: unknown): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(codeOf(error));
}

/** A full disk as `disk_full`, a disk that fails or a damaged file as `store_unavailable`; all else as it is. */
export function storeError(error: unknown): unknown {
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  if (code === SQLITE_FULL) {
    return new ApprenticeError(
      'disk_full',
      'The disk that holds the store is full: nothing was kept.',
      'Free some space; then it goes on by itself, and what was refused can be sent again.',
      { cause: error },
    );
  }
  if (code === SQLITE_IOERR || isDamage(error)) {
    return new ApprenticeError(
      'store_unavailable',
      `The store cannot be ${code === SQLITE_IOERR ? 'read or written' : 'used: its file is damaged'} (${said}).`,
      code === SQLITE_IOERR
        ? 'Check the disk that holds APPRENTICE_HOME.'
        : 'The agent-server ends; its next start sets the file aside and makes a fresh one.',
      { cause: error },
    );
  }
  return error;
}
