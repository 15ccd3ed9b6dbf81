/** The agent-server whole, in real processes and in this one: who serves a home folder. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openHomeStore } from '../../../agent-server/claim.ts';
import { Config } from '../../../agent-server/config.ts';
import { answers, readDiscovery, writeDiscovery } from '../../../agent-server/discovery.ts';
import { takeLock } from '../../../agent-server/lock.ts';
import { createLog } from '../../../agent-server/log.ts';
import { connectEditorClient } from '../../../agent-server/lsp/client.ts';
import type { Discovery } from '../../../agent-server/protocol/discovery.ts';
import { editorRequests } from '../../../agent-server/protocol/editor.ts';
import { type RunningServer, startAgentServer } from '../../../agent-server/server.ts';
import { log, noWorker, startHere } from '../../fixtures/agent-server.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { T0 } from '../../fixtures/records.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

function startProcess(t: TestContext, home: string): ChildProcess {
  const env = {
    ...process.env,
    APPRENTICE_HOME: home,
    APPRENTICE_PYTHON: '/missing',
    APPRENTICE_MODEL: '/missing',
  };
  const child = spawn(process.execPath, [join(repositoryRoot, 'agent-server', 'main.ts'), '--parent-pipe'], {
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Waits for a server other than the one named to answer through the discovery file. */
async function discovered(home: string, notPid = 0): Promise<Discovery> {
  // Watched before it is read, so that a file written in between is not missed.
  const changes = watch(home);
  try {
    const signal = AbortSignal.timeout(20_000);
    for (;;) {
      const found = readDiscovery(home);
      if (found !== undefined && found.pid !== notPid && (await answers(found))) return found;
      await once(changes, 'change', { signal });
    }
  } finally {
    changes.close();
  }
}

describe('Who serves a home folder', () => {
  it('START-1: of two processes that start at once one serves and the other ends with 0', async (t) => {
    const home = temporaryFolder();
    const children = [startProcess(t, home), startProcess(t, home)];
    const ended = await Promise.race(
      children.map(async (child) => ({ child, code: (await once(child, 'exit'))[0] as unknown })),
    );
    assert.equal(ended.code, 0);
    const survivor = children.find((child) => child !== ended.child);
    assert.equal((await discovered(home)).pid, survivor?.pid);
  });

  it('START-2: after kill -9 the next start serves, whatever the dead one left', async (t) => {
    const home = temporaryFolder();
    const first = startProcess(t, home);
    const before = await discovered(home);
    first.kill('SIGKILL');
    await once(first, 'exit');
    assert.equal(existsSync(before.socket), true, 'the socket file is still there');
    const second = startProcess(t, home);
    const after = await discovered(home, before.pid);
    assert.equal(after.pid, second.pid);
    assert.notEqual(after.token, before.token);
  });

  it('START-3: a process with --parent-pipe ends in good order when its input ends', async (t) => {
    const home = temporaryFolder();
    const child = startProcess(t, home);
    await discovered(home);
    child.stdin?.end();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.equal(readDiscovery(home), undefined);
  });

  it('START-2: a stale discovery file whose pid lives does not block a start', async (t) => {
    const home = temporaryFolder();
    writeDiscovery(home, {
      format: 1,
      pid: process.pid,
      socket: join(home, 'agent-server.sock'),
      port: 1,
      token: 'stale',
      startedAt: new Date().toISOString(),
      version: '0.0.0',
    });
    const { discovery } = await startHere(t, home);
    assert.notEqual(discovery.token, 'stale');
    if (process.platform !== 'win32')
      assert.equal(statSync(join(home, 'discovery.json')).mode & 0o777, 0o600);
  });

  it('reads half a discovery file as none', () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'discovery.json'), '{"format": 1, "pid"');
    assert.equal(readDiscovery(home), undefined);
  });

  it('START-1: the lock has one holder, in one process too', async () => {
    const home = temporaryFolder();
    const lock = await takeLock(home);
    assert.equal(await takeLock(home), null);
    lock?.release();
    (await takeLock(home))?.release();
  });

  it('START-5: versions of a store that is gone are set aside, never served or written over', async (t) => {
    const home = temporaryFolder();
    mkdirSync(join(home, 'adapters', 'policy@v1'), { recursive: true });
    const quiet = createLog('error', () => undefined);
    const store = await openHomeStore(home, T0, quiet);
    t.after(() => store.close());
    assert.deepEqual(
      readdirSync(home).filter((name) => name.startsWith('adapters')),
      ['adapters.before-2026-01-05T10-00-00.000Z'],
    );
  });

  it('GATE-24: other agents keep their port and key over a restart, and get another port where theirs is taken', async (t) => {
    const home = temporaryFolder();
    const ask = async (server: RunningServer) => {
      const client = await connectEditorClient(server.discovery, 'test');
      const gateway = await client.request(editorRequests.gateway, {});
      client.close();
      const models = await fetch(`${gateway.url}/v1/models`, {
        headers: { authorization: `Bearer ${gateway.key}` },
      });
      assert.equal(models.status, 200);
      return gateway;
    };
    const first = await startHere(t, home);
    const before = await ask(first);
    assert.notEqual(before.key, first.discovery.token);
    if (process.platform !== 'win32') assert.equal(statSync(join(home, 'gateway.json')).mode & 0o777, 0o600);
    await first.stop();
    const second = await startHere(t, home);
    assert.deepEqual(await ask(second), before);
    await second.stop();

    const squatter = createServer().listen(first.discovery.port, '127.0.0.1');
    t.after(() => squatter.close());
    await once(squatter, 'listening');
    const third = await ask(await startHere(t, home));
    assert.equal(third.key, before.key);
    assert.notEqual(third.url, before.url);
  });

  it('START-6: a home folder with a long path is served all the same', async (t) => {
    const home = join(temporaryFolder(), 'a'.repeat(120));
    const { discovery, stop } = await startHere(t, home);
    (await connectEditorClient(discovery, 'test')).close();
    await stop();
    assert.equal(existsSync(dirname(discovery.socket)), false);
  });

  it('START-4: a start that fails half-way leaves nothing behind', async (t) => {
    const home = temporaryFolder();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const config = Config.parse({ gateway: { port } });
    await assert.rejects(startAgentServer({ home, config, env: {}, log, worker: noWorker }), {
      code: 'EADDRINUSE',
    });
    await startHere(t, home);
  });
});
