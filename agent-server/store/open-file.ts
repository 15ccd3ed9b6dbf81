/**
 * Opens the store's file: finds node:sqlite, sets the pragmas, migrates, and sets a corrupted file aside. Knows
 * the schema's version and nothing of its tables.
 */
import { existsSync, renameSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { ApprenticeError } from '../protocol/errors.ts';
import { MIGRATIONS } from './schema.ts';

export interface OpenedFile {
  db: DatabaseSync;
  /** The file was not there, or was set aside: the schema has just been made. */
  fresh: boolean;
  /** Where a corrupted file lies now. */
  setAside: string | null;
}

/** SQLITE_CORRUPT and SQLITE_NOTADB (https://sqlite.org/rescode.html). */
const CORRUPT = new Set([11, 26]);

class CorruptFile extends Error {}

/**
 * `file` may be ':memory:'. Throws `store_unavailable` when Node lacks node:sqlite, when the file was written
 * by a newer Apprentice, and when it cannot be opened for a reason other than corruption (rights, full disk).
 */
export async function openFile(file: string, nowMs: number): Promise<OpenedFile> {
  const { DatabaseSync } = await importSqlite();
  const open = (): DatabaseSync =>
    new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: true });
  try {
    return { ...prepare(open, file), setAside: null };
  } catch (error) {
    if (!(error instanceof CorruptFile)) throw error;
    const setAside = `${file}.corrupt-${new Date(nowMs).toISOString().replaceAll(':', '-')}`;
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, setAside + suffix);
    }
    return { ...prepare(open, file), setAside };
  }
}

/** node:sqlite, or `store_unavailable` naming the Node that has it. */
export async function importSqlite(): Promise<typeof import('node:sqlite')> {
  try {
    return await import('node:sqlite');
  } catch (error) {
    throw new ApprenticeError(
      'store_unavailable',
      `Node ${process.version} has no node:sqlite.`,
      'Run the agent-server with Node 22.13 or later, or with VS Code 1.105 or later.',
      { cause: error },
    );
  }
}

function prepare(open: () => DatabaseSync, file: string): { db: DatabaseSync; fresh: boolean } {
  let db: DatabaseSync | undefined;
  try {
    db = open();
    db.exec('PRAGMA journal_mode = WAL');
    // With WAL a commit survives the death of the process; only a power cut can take the last ones.
    db.exec('PRAGMA synchronous = NORMAL');
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') throw new CorruptFile(String(check));
    return { db, fresh: migrate(db, file) };
  } catch (error) {
    db?.close();
    if (error instanceof ApprenticeError || error instanceof CorruptFile) throw error;
    if (CORRUPT.has(sqliteCode(error))) throw new CorruptFile('not a database', { cause: error });
    throw new ApprenticeError(
      'store_unavailable',
      `The store ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}.`,
      'Check that the folder is writable and the disk is not full.',
      { cause: error },
    );
  }
}

/** Low byte of SQLite's result code, -1 when the error is none of SQLite's. */
function sqliteCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return -1;
  return error.errcode & 0xff;
}

/** Runs the migrations that the file lacks, in one transaction. Returns whether the file was new. */
function migrate(db: DatabaseSync, file: string): boolean {
  const has = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (has > MIGRATIONS.length) {
    throw new ApprenticeError(
      'store_unavailable',
      `The store ${file} has format ${has}; this Apprentice knows formats up to ${MIGRATIONS.length}.`,
      'Update Apprentice, or choose another APPRENTICE_HOME.',
    );
  }
  if (has === MIGRATIONS.length) return false;
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const migration of MIGRATIONS.slice(has)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  return has === 0;
}
