/**
 * A whole agent-server with its worker elsewhere: apprentice-worker as a process of its own, behind TLS, in a home
 * folder of its own, with the real model. A correction becomes a version that serves.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Config } from '../../agent-server/config.ts';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import { createLog } from '../../agent-server/log.ts';
import { connectEditorClient, type EditorClient } from '../../agent-server/lsp/client.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { formatPairing } from '../../agent-server/protocol/pairing.ts';
import type { PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import { type RunningServer, startAgentServer } from '../../agent-server/server.ts';
import { type StartedWorker, startApprenticeWorker } from '../fixtures/apprentice-worker.ts';
import { temporaryFolder } from '../fixtures/home.ts';
import { runtime } from '../fixtures/runtime.ts';

const LIMIT_MS = 240_000;
const POLL_MS = 100;

suite('a remote worker with the real model', { timeout: 2 * LIMIT_MS }, () => {
  const home = temporaryFolder();
  const elsewhere = temporaryFolder();
  const logged: string[] = [];
  let worker: StartedWorker;
  let server: RunningServer;
  let client: EditorClient;

  const startWorker = (port: number) => {
    const { python, model } = runtime();
    const flags = ['--home', elsewhere, '--python', python, '--model', model, '--device', 'cpu'];
    return startApprenticeWorker([...flags, '--tls-self-signed', '--port', String(port)]);
  };
  const snapshotWhere = async (test: (snapshot: PanelSnapshot) => boolean): Promise<PanelSnapshot> => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const snapshot = await client.request(editorRequests.panel, {});
      if (test(snapshot)) return snapshot;
      await delay(POLL_MS, undefined, { signal });
    }
  };

  before(async () => {
    worker = await startWorker(0);
    const { hyperparameters } = LearningConfig.parse({});
    const learning = { anchors: 0, hyperparameters: { ...hyperparameters, steps: 1 } };
    const started = await startAgentServer({
      home,
      config: Config.parse({ learning }),
      env: { APPRENTICE_WORKER: worker.line },
      log: createLog('info', (line) => logged.push(line)),
    });
    assert.ok(started.kind === 'running');
    server = started;
    client = await connectEditorClient(server.discovery, 'test');
    await client.request(editorRequests.setLearning, { state: 'on' });
  });
  after(async () => {
    client?.close();
    await server?.stop();
    await worker?.stop();
  });

  test('REMOTE-1: it is tried before it is used: the key, the certificate, the model', async () => {
    const { pairing } = worker;
    assert.match(pairing.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const info = await client.request(editorRequests.tryWorker, pairing);
    assert.match(info.baseModel, /^model@[0-9a-f]{16}$/);
    const refused = async (changed: object, code: string) =>
      assert.rejects(client.request(editorRequests.tryWorker, { ...pairing, ...changed }), { code });
    await refused({ key: 'another key of that size'.replaceAll(' ', '-') }, 'unauthorized');
    await refused({ sha256: '0'.repeat(64) }, 'unauthorized');
    await refused({ sha256: null }, 'worker_unavailable');
    await refused({ url: 'https://127.0.0.1:9' }, 'worker_unavailable');
  });

  test('REMOTE-2: a correction travels there and comes back as a version that serves; all of it stays here too', async () => {
    const { port, token } = server.discovery;
    const ask = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'apprentice',
          messages: [{ role: 'user', content: `Say something short. ${randomUUID()}` }],
          max_tokens: 8,
        }),
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      assert.equal(answer.status, 200, await answer.clone().text());
      const { id, model } = await answer.json();
      return { turnId: String(id).replace(/^chatcmpl-/, ''), model };
    };
    await snapshotWhere(({ worker: states }) => states?.engine.state === 'ready');
    const first = await ask();
    const observation = {
      kind: 'thumb',
      observationId: randomUUID(),
      observedAt: new Date().toISOString(),
      turnId: first.turnId,
      value: -1,
      rewrite: 'Yes.',
    };
    await client.request(editorRequests.observe, editorRequests.observe.params.parse(observation));
    const trained = await snapshotWhere(({ versions }) =>
      versions.some(({ version, state }) => version === 'policy@v1' && state !== 'training'),
    );
    assert.deepEqual(
      trained.workerPlace.kind === 'remote' && [trained.workerPlace.url, trained.workerPlace.error],
      [worker.pairing.url, null],
    );
    const served = await snapshotWhere(({ versions }) =>
      versions.some(
        ({ version, state }) => version === 'policy@v1' && !['training', 'trained'].includes(state),
      ),
    );
    const made = served.versions.find(({ version }) => version === 'policy@v1');
    assert.equal(made?.state, 'serving', made?.reason ?? '');
    assert.match((await ask()).model, /policy@v1$/);
    const files = ['adapter_config.json', 'adapter_model.safetensors', 'lineage.json'];
    assert.deepEqual(readdirSync(join(home, 'adapters', 'policy@v1')).sort(), files);
    for (const name of files)
      assert.deepEqual(
        readFileSync(join(home, 'adapters', 'policy@v1', name)),
        readFileSync(join(elsewhere, 'adapters', 'policy@v1', name)),
      );
    assert.equal(existsSync(join(home, 'worker')), false, 'no worker was started here');
    assert.deepEqual(readdirSync(join(elsewhere, 'received')), []);
  });

  test('REMOTE-3: a worker that lost everything is given the version that serves, by the same certificate and key', async () => {
    const { pairing } = worker;
    assert.equal(await worker.stop(), 0);
    await snapshotWhere(({ workerPlace }) => workerPlace.kind === 'remote' && workerPlace.error !== null);
    for (const folder of ['adapters', 'optimizer']) rmSync(join(elsewhere, folder), { recursive: true });
    worker = await startWorker(Number(new URL(pairing.url).port));
    assert.deepEqual(worker.pairing, pairing);
    await snapshotWhere(({ worker: states }) => states?.engine.state === 'ready');
    const signal = AbortSignal.timeout(LIMIT_MS);
    while (!existsSync(join(elsewhere, 'adapters', 'policy@v1', 'lineage.json')))
      await delay(POLL_MS, undefined, { signal });
    const { workerPlace } = await client.request(editorRequests.panel, {});
    assert.equal(workerPlace.kind === 'remote' && workerPlace.baseModel?.split('@')[0], 'model');
  });

  test('REMOTE-4: the key is in no log', () => {
    assert.ok(logged.length > 0);
    const texts = [
      logged.join(''),
      ...readdirSync(join(elsewhere, 'logs')).map((name) =>
        readFileSync(join(elsewhere, 'logs', name), 'utf8'),
      ),
    ];
    for (const text of texts) assert.ok(!text.includes(worker.pairing.key));
    assert.equal(worker.line, formatPairing(worker.pairing));
  });
});
