/**
 * Opens the store's file: finds node:sqlite, sets the pragmas, migrates, and sets a corrupted file aside. Knows
 * the schema's version and nothing of its tables.
 */
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { ApprenticeError } from '../protocol/errors.ts';
import { MIGRATIONS } from './schema.ts';
import { isDamage } from './sqlite-errors.ts';

export interface OpenedFile {
  db: DatabaseSync;
  /** The file was not there, or was set aside: the schema has just been made. */
  fresh: boolean;
  /** Where a corrupted file lies now. */
  setAside: string | null;
}

/**
 * Files up to this size are looked through at every start (0.2 s). Looking through gigabytes takes a minute, and
 * a process that was killed damages nothing: a larger file is looked through once a page of it was found damaged.
 */
const CHECKED_SIZE_BYTES = 64 * 1024 * 1024;

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
    const opened = prepare(open, file);
    rmSync(markOf(file), { force: true });
    return { ...opened, setAside: null };
  } catch (error) {
    if (!(error instanceof CorruptFile)) throw error;
    const setAside = `${file}.corrupt-${new Date(nowMs).toISOString().replaceAll(':', '-')}`;
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, setAside + suffix);
    }
    rmSync(markOf(file), { force: true });
    return { ...prepare(open, file), setAside };
  }
}

/** Leaves word for the next `openFile` that a page of the file was found damaged, so that it looks through all. */
export function markDamaged(file: string): void {
  if (file !== ':memory:') writeFileSync(markOf(file), '');
}

function markOf(file: string): string {
  return `${file}.damaged`;
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
    // Checkpoints block the one thread there is: larger and rarer is less work, as the same pages change again.
    db.exec('PRAGMA wal_autocheckpoint = 4000');
    db.exec('PRAGMA journal_size_limit = 67108864');
    // The system keeps the file's pages too: twice as many here made nothing faster to be seen, over a million turns.
    db.exec('PRAGMA cache_size = -8000');
    check(db, file);
    return { db, fresh: migrate(db, file) };
  } catch (error) {
    db?.close();
    if (error instanceof ApprenticeError || error instanceof CorruptFile) throw error;
    if (isDamage(error)) throw new CorruptFile('not a database', { cause: error });
    throw new ApprenticeError(
      'store_unavailable',
      `The store ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}.`,
      'Check that the folder is writable and the disk is not full.',
      { cause: error },
    );
  }
}

/** Throws CorruptFile for a file that is damaged, as far as it is looked through. */
function check(db: DatabaseSync, file: string): void {
  const found = existsSync(markOf(file));
  const sizeBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (!found && sizeBytes > CHECKED_SIZE_BYTES) return;
  // The full check also reads the indices, where the damage may have been met.
  const pragma = found ? 'integrity_check' : 'quick_check';
  const answer = db.prepare(`PRAGMA ${pragma}(1)`).get()?.[pragma];
  if (answer !== 'ok') throw new CorruptFile(String(answer));
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
