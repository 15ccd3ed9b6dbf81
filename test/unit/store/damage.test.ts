/** What becomes of a store whose file is damaged: at its opening, in its log, and while it is in use. */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Config } from '../../../agent-server/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { startAgentServer, type Worker } from '../../../agent-server/server.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { commit, T0 } from '../../fixtures/records.ts';

const noWorker: Worker = {
  endpoint: () => {
    throw new Error('no worker in this test');
  },
  onChange: () => () => undefined,
  start: () => undefined,
  stop: async () => undefined,
};

function fill(store: Store, count: number): void {
  for (let n = 0; n < count; n += 1) store.addObservation(commit({ message: 'x'.repeat(2000) }), T0);
}

/** Writes garbage over all pages after the first three, as a failing disk would, under a store that is open. */
function damage(file: string): void {
  const other = new DatabaseSync(file);
  // A write by somebody else makes the open store read its pages anew.
  other.exec('UPDATE counters SET value = value');
  other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  other.close();
  const garbage = Buffer.alloc(readFileSync(file).length - 3 * 4096, 0xee);
  const handle = openSync(file, 'r+');
  writeSync(handle, garbage, 0, garbage.length, 3 * 4096);
  closeSync(handle);
}

describe('A damaged store', () => {
  it('STORE-7: damage met while in use is said, and the next start sets the file aside, once', async () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const { store } = await openStore(file);
    fill(store, 100);
    damage(file);
    assert.throws(() => store.queuedObservations(100), { code: 'store_unavailable' });
    assert.match((await store.damaged()).message, /malformed|not a database/);
    store.close();
    const again = await openStore(file, T0);
    assert.ok(again.setAside !== null && existsSync(again.setAside));
    again.store.close();
    const third = await openStore(file, T0);
    assert.deepEqual([third.setAside, third.fresh], [null, false]);
    third.store.close();
  });

  it('STORE-7: the agent-server ends when its store is damaged, and the next one serves', async (t) => {
    const home = temporaryFolder();
    const log = createLog('error', () => undefined);
    const start = async () => {
      const started = await startAgentServer({
        home,
        config: Config.parse({}),
        env: {},
        log,
        worker: noWorker,
      });
      assert.ok(started.kind === 'running');
      return started;
    };
    const first = await start();
    fill(first.store, 100);
    damage(join(home, 'store.sqlite'));
    assert.throws(() => first.store.queuedObservations(100));
    await first.stopped;
    const second = await start();
    t.after(() => second.stop());
    assert.equal(second.store.queueLengths(T0).observations, 0);
  });

  it('STORE-7: of a log with a damaged end what was written before it counts', async () => {
    const folder = temporaryFolder();
    const [file, copy] = [join(folder, 'store.sqlite'), join(folder, 'copy.sqlite')];
    const { store } = await openStore(file);
    fill(store, 5);
    const sizeBytes = readFileSync(`${file}-wal`).length;
    fill(store, 5);
    // As a process leaves it that is killed; then the last pages are lost with the power.
    copyFileSync(file, copy);
    const wal = readFileSync(`${file}-wal`);
    writeFileSync(`${copy}-wal`, wal.fill(0xee, sizeBytes));
    store.close();
    const opened = await openStore(copy);
    assert.equal(opened.setAside, null);
    assert.equal(opened.store.queueLengths(T0).observations, 5);
    fill(opened.store, 1);
    opened.store.close();
  });

  it('STORE-4: a file that was cut off is set aside', async () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const { store } = await openStore(file);
    fill(store, 100);
    store.close();
    truncateSync(file, 4096 * 20);
    const opened = await openStore(file, T0);
    assert.notEqual(opened.setAside, null);
    fill(opened.store, 1);
    opened.store.close();
  });
});
