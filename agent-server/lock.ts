/**
 * One agent-server a home folder. The lock is SQLite's exclusive lock on `agent-server.lock`: the system frees it
 * when its holder dies in whatever way, so no pid is compared and a file left behind means nothing.
 */
import { join } from 'node:path';
import { importSqlite } from './store/open-file.ts';

export interface Lock {
  release(): void;
}

/** SQLITE_BUSY and SQLITE_LOCKED (https://sqlite.org/rescode.html). */
const HELD = new Set([5, 6]);

/** Takes the lock of a home folder at once, or returns null while another process (or caller) holds it. */
export async function takeLock(home: string): Promise<Lock | null> {
  const { DatabaseSync } = await importSqlite();
  const db = new DatabaseSync(join(home, 'agent-server.lock'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (error instanceof Error && 'errcode' in error && HELD.has(Number(error.errcode) & 0xff)) return null;
    throw error;
  }
  return { release: () => db.close() };
}
