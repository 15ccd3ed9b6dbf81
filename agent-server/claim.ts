/** Who serves a home folder: this process, or one that already does. And what the folder needs before it serves. */
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, readDiscovery } from './discovery.ts';
import { type Lock, takeLock } from './lock.ts';
import type { Log } from './log.ts';
import type { Discovery } from './protocol/discovery.ts';
import { ApprenticeError } from './protocol/errors.ts';
import { openStore } from './store/sqlite-store.ts';
import type { Store } from './store/store.ts';

/** Longer than a start-up or an orderly end takes. */
const CLAIM_LIMIT_MS = 15_000;
const POLL_MS = 50;

export type Claim = { kind: 'ours'; lock: Lock } | { kind: 'taken'; discovery: Discovery };

/**
 * Takes the home folder, or finds the server that has it. While the holder of the lock does not answer it is
 * starting or ending, so this waits for either. Throws `timeout` when it does neither.
 */
export async function claimHome(home: string, limitMs: number = CLAIM_LIMIT_MS): Promise<Claim> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32') chmodSync(home, 0o700);
  const deadlineMs = performance.now() + limitMs;
  do {
    const lock = await takeLock(home);
    if (lock !== null) return { kind: 'ours', lock };
    const discovery = readDiscovery(home);
    if (discovery !== undefined && (await answers(discovery))) return { kind: 'taken', discovery };
    await delay(POLL_MS);
  } while (performance.now() < deadlineMs);
  throw new ApprenticeError(
    'timeout',
    `Another agent-server holds ${join(home, 'agent-server.lock')} and does not answer.`,
    'See logs/agent-server.log in that folder; end that process if it hangs.',
  );
}

/** What was made from a store's samples; without the store nobody knows what they are. */
const MADE_FROM_STORE = ['adapters', 'batches'];

/** Opens the home folder's store. A corrupted one is set aside, and with it what it had made. */
export async function openHomeStore(home: string, nowMs: number, log: Log): Promise<Store> {
  const file = join(home, 'store.sqlite');
  const { store, fresh, setAside } = await openStore(file, nowMs);
  if (setAside !== null)
    log.error(`The store was damaged. It was set aside as ${setAside}; a fresh one was made.`);
  if (fresh) {
    const suffix = new Date(nowMs).toISOString().replaceAll(':', '-');
    for (const name of MADE_FROM_STORE) {
      const folder = join(home, name);
      if (!existsSync(folder)) continue;
      // Version numbers begin anew with the store, and a version's folder is never written twice.
      renameSync(folder, `${folder}.before-${suffix}`);
      log.warn(`${folder} belongs to no store; it was set aside as ${folder}.before-${suffix}.`);
    }
  }
  return store;
}
