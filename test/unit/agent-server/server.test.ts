/** The agent-server whole, in real processes and in this one: who serves a home folder, and its socket. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openHomeStore } from '../../../agent-server/claim.ts';
import { Config } from '../../../agent-server/config.ts';
import { answers, readDiscovery, writeDiscovery } from '../../../agent-server/discovery.ts';
import { takeLock } from '../../../agent-server/lock.ts';
import { createLog } from '../../../agent-server/log.ts';
import { connectEditorClient } from '../../../agent-server/lsp/client.ts';
import { MAX_FIRST_MESSAGE_BYTES } from '../../../agent-server/lsp/wire.ts';
import type { Discovery } from '../../../agent-server/protocol/discovery.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { PanelSnapshot } from '../../../agent-server/protocol/panel.ts';
import { type RunningServer, startAgentServer, type Worker } from '../../../agent-server/server.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { answeredTurn, commit, T0, thumb } from '../../fixtures/records.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const log = createLog('error', (line) => process.stderr.write(line));

/** A gpu-worker that never comes up. */
const noWorker: Worker = {
  endpoint: () => {
    throw new ApprenticeError('worker_unavailable', 'No worker in this test.', '');
  },
  onChange: () => () => undefined,
  start: () => undefined,
  stop: async () => undefined,
};

async function startHere(
  t: TestContext,
  home = temporaryFolder(),
): Promise<RunningServer & { home: string }> {
  const started = await startAgentServer({ home, config: Config.parse({}), env: {}, log, worker: noWorker });
  assert.equal(started.kind, 'running');
  if (started.kind !== 'running') throw new Error('unreachable: asserted above');
  t.after(() => started.stop());
  return { ...started, home };
}

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

describe("The editors' socket", () => {
  it('LSP-1: a wrong token is refused and the connection ended; others stay', async (t) => {
    const { discovery } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    await assert.rejects(connectEditorClient({ ...discovery, token: 'wrong' }, 'stranger'), {
      code: 'unauthorized',
    });
    assert.deepEqual(await client.request(editorRequests.getLearning, {}), { state: 'unasked' });
    client.close();
  });

  it('LSP-1: nothing is answered before the token, and a first message may not be long', async (t) => {
    const { discovery } = await startHere(t);
    const early = connect({ path: discovery.socket });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: editorRequests.panel.method, params: {} });
    early.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
    const [answer] = (await once(early, 'data')) as [Buffer];
    assert.match(answer.toString(), /-32002/);
    early.destroy();
    const flood = connect({ path: discovery.socket });
    flood.on('error', () => undefined);
    flood.write(
      `Content-Length: ${MAX_FIRST_MESSAGE_BYTES * 4}\r\n\r\n${'x'.repeat(MAX_FIRST_MESSAGE_BYTES + 1)}`,
    );
    await once(flood.resume(), 'close', { signal: AbortSignal.timeout(5_000) });
  });

  it('LSP-2: nothing is kept before consent; with it an observation sent twice is one row', async (t) => {
    const { discovery, store } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const seen = commit();
    for (const state of ['off', 'paused'] as const) {
      await assert.rejects(client.request(editorRequests.observe, seen), { code: 'consent_required' });
      await client.request(editorRequests.setLearning, { state });
    }
    assert.equal(store.doneCounts().environment, 0);
    await client.request(editorRequests.setLearning, { state: 'on' });
    assert.deepEqual(await client.request(editorRequests.observe, seen), { duplicate: false });
    assert.deepEqual(await client.request(editorRequests.observe, seen), { duplicate: true });
  });

  it('LSP-3: what does not parse is named and changes nothing', async (t) => {
    const { discovery, store } = await startHere(t);
    store.setLearning('on');
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const bad = commit({ sha: 'not a sha' });
    await assert.rejects(client.request(editorRequests.observe, bad), {
      code: 'invalid_request',
      message: /sha/,
    });
  });

  it('LSP-4: every window hears of consent, and the panel follows what happens', async (t) => {
    const { discovery, store } = await startHere(t);
    const [one, two] = [
      await connectEditorClient(discovery, 'one'),
      await connectEditorClient(discovery, 'two'),
    ];
    t.after(() => [one, two].map((client) => client.close()));
    const heard = Promise.withResolvers<unknown>();
    two.onNotification(editorNotifications.learningChanged, heard.resolve);
    await one.request(editorRequests.setLearning, { state: 'on' });
    assert.deepEqual(await heard.promise, { state: 'on' });

    const liked = Promise.withResolvers<PanelSnapshot>();
    one.onNotification(editorNotifications.panelChanged, (snapshot) => {
      if (snapshot.turns[0]?.outcome === 'thumb_up') liked.resolve(snapshot);
    });
    await one.request(editorRequests.subscribePanel, { on: true });
    const turnId = answeredTurn(store, { createdAtMs: Date.now() });
    const [open] = await two.request(editorRequests.openProposals, { repositoryRoot: '/repo' });
    assert.equal(open?.turnId, turnId);
    await two.request(editorRequests.observe, thumb(turnId, 1));
    const snapshot = await liked.promise;
    assert.deepEqual(
      snapshot.loops.map((loop) => loop.name),
      ['serve', 'environment', 'judge', 'train'],
    );
    assert.equal(snapshot.learning, 'on');
    assert.deepEqual(
      snapshot.curve.map((point) => point.accepted),
      [true],
    );
  });

  it('LSP-5: a cancelled request ends as aborted', async (t) => {
    const { discovery } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const change = { repositoryRoot: '/repo', stagedTree: null, head: null, diff: 'diff --git a/a b/a\n' };
    const cancel = new AbortController();
    const asked = client.request(
      editorRequests.writeCommitMessage,
      { requestId: randomUUID(), change },
      { signal: cancel.signal },
    );
    cancel.abort();
    await assert.rejects(asked, { code: 'aborted' });
  });

  it('LSP-6: stop ends the server after its answer', async (t) => {
    const { discovery, stopped, home } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    assert.equal(await client.request(editorRequests.stop, {}), null);
    await stopped;
    await client.closed;
    assert.equal(readDiscovery(home), undefined);
    await assert.rejects(connectEditorClient(discovery, 'late'), { code: 'worker_unavailable' });
  });
});
