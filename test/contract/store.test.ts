/** The SQLite store under the store contract, in memory and in a file; and what only a file can do wrong. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { MIGRATIONS } from '../../agent-server/store/schema.ts';
import { openStore } from '../../agent-server/store/sqlite-store.ts';
import { tellingStore } from '../../agent-server/telemetry/learning-events.ts';
import { commit, T0 } from '../fixtures/records.ts';
import { storeContract } from './store.ts';

storeContract('SQLite in memory', () => ({
  open: async () => (await openStore(':memory:')).store,
  durable: false,
  dispose: () => undefined,
}));

// What tells metrics and traces of every change must change nothing itself.
storeContract('SQLite in memory, telling', () => ({
  open: async () => tellingStore((await openStore(':memory:')).store, () => undefined),
  durable: false,
  dispose: () => undefined,
}));

storeContract('SQLite in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-store-'));
  return {
    open: async () => (await openStore(join(folder, 'store.sqlite'))).store,
    durable: true,
    dispose: () => rmSync(folder, { recursive: true }),
  };
});

describe('The store file', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'apprentice-store-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('STORE-4: a file that is not a database is set aside and a fresh one made', async () => {
    const file = join(folder, 'garbage.sqlite');
    writeFileSync(file, 'this is no database '.repeat(500));
    const opened = await openStore(file, T0);
    assert.equal(opened.setAside, `${file}.corrupt-2026-01-05T10-00-00.000Z`);
    assert.ok(existsSync(opened.setAside));
    assert.equal(opened.fresh, true);
    assert.equal(opened.store.serving(), 'policy@v0');
    opened.store.close();
  });

  it('STORE-4: a database with damaged pages is set aside', async () => {
    const file = join(folder, 'damaged.sqlite');
    const { store } = await openStore(file);
    for (let n = 0; n < 50; n += 1) store.addObservation(commit({ message: 'x'.repeat(2000) }), T0);
    store.close();
    const bytes = new DatabaseSync(file);
    const pageSize = Number(bytes.prepare('PRAGMA page_size').get()?.['page_size']);
    bytes.close();
    const handle = openSync(file, 'r+');
    writeSync(handle, Buffer.alloc(pageSize * 8, 0xee), 0, pageSize * 8, pageSize * 2);
    closeSync(handle);
    const opened = await openStore(file, T0);
    assert.notEqual(opened.setAside, null);
    assert.deepEqual(opened.store.queuedObservations(1), []);
    opened.store.close();
  });

  it('STORE-5: a store of a newer format is refused and left alone', async () => {
    const file = join(folder, 'newer.sqlite');
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    db.close();
    await assert.rejects(openStore(file), { code: 'store_unavailable', message: /newer\.sqlite has format/ });
    assert.ok(existsSync(file));
  });

  it('refuses a folder that it cannot write, without touching anything', async () => {
    await assert.rejects(openStore(join(folder, 'missing', 'store.sqlite')), { code: 'store_unavailable' });
  });
});
