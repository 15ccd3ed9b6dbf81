/** A worker behind TLS: known by its certificate before it is sent the key, and then spoken to over HTTP and the link. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Hono } from 'hono';
import { Config, remoteWorker } from '../../../agent-server/config.ts';
import { EngineHttp } from '../../../agent-server/engine/http-client.ts';
import { pairedEndpoint, RemoteWorker } from '../../../agent-server/loops/remote-worker.ts';
import { tryWorker } from '../../../agent-server/loops/try-worker.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { LINK_PROTOCOL } from '../../../agent-server/protocol/link.ts';
import { formatPairing } from '../../../agent-server/protocol/pairing.ts';
import { TORCH } from '../../../agent-server/protocol/trainer-choice.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { selfSigned } from '../../fixtures/certificate.ts';
import { linkTo, openWorker, KEY as PLAIN_KEY } from '../../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../../fixtures/home.ts';

const never = new AbortController().signal;
const KEY = 'a-key-of-the-right-length';

test('REMOTE-5: a batch makes its version over TLS, by the paired certificate', async (t) => {
  const home = temporaryFolder();
  const tls = selfSigned();
  const opened = await openWorker(join(home, 'elsewhere'), { tls, key: KEY });
  const pairing = { url: opened.url, key: KEY, sha256: tls.sha256 };
  const worker = new RemoteWorker(pairing);
  const link = linkTo(worker.endpoint, home);
  t.after(async () => {
    link.close();
    await worker.stop();
    await opened.close();
  });
  worker.onChange(() => link.connect());
  worker.start();
  const { folder, manifest } = await writeBatch(home);
  assert.equal((await link.train(manifest.batchId, folder, never)).version, 'policy@v1');
  assert.equal((await tryWorker(pairing, never)).baseModel, 'base@1');
});

test('REMOTE-6: who shows another certificate is not sent a byte of the key, over HTTP or the link', async (t) => {
  const impostor = selfSigned();
  const requests: (string | undefined)[] = [];
  const server = createServer(
    { cert: impostor.certificate, key: impostor.privateKey },
    (request, response) => {
      requests.push(request.headers.authorization);
      response.end('{}');
    },
  );
  server.on('upgrade', (request, socket) => {
    requests.push(request.headers.authorization);
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const paired = selfSigned();
  const pairing = { url, key: KEY, sha256: paired.sha256 };
  await assert.rejects(tryWorker(pairing, never), { code: 'unauthorized' });
  await assert.rejects(pairedEndpoint(pairing, never), { code: 'unauthorized' });

  // Paired before, and the impostor has come since: the certificate is known.
  const certificate = { pem: paired.certificate, sha256: paired.sha256 };
  const endpoint = () => ({ url, key: KEY, certificate });
  const http = new EngineHttp(endpoint, {});
  await assert.rejects(http.fetch('GET', '/worker/info', undefined, never));
  const link = linkTo(endpoint, temporaryFolder());
  t.after(() => link.close());
  const lost = new Promise<void>((resolve) => link.onStatus(({ connected }) => connected || resolve()));
  link.connect();
  await lost;
  assert.deepEqual(requests, []);
});

test('REMOTE-7: answers over TLS stream, and end when who asked goes away', async (t) => {
  const tls = selfSigned();
  const gone = Promise.withResolvers<void>();
  const routes = new Hono();
  routes.get('/endless', ({ req }) => {
    req.raw.signal.addEventListener('abort', () => gone.resolve());
    const pulse = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('data: {}\n\n')),
    });
    return new Response(pulse, { headers: { 'content-type': 'text/event-stream' } });
  });
  routes.post('/echo', async (c) => c.json(await c.req.json()));
  const opened = await openWorker(temporaryFolder(), { tls, routes, key: KEY });
  t.after(() => opened.close());
  const certificate = { pem: tls.certificate, sha256: tls.sha256 };
  const http = new EngineHttp(() => ({ url: opened.url, key: KEY, certificate }), {});
  const echoed = await http.fetch('POST', '/echo', { text: 'ä'.repeat(100_000) }, never);
  assert.equal((await echoed.json()).text.length, 100_000);
  await assert.rejects(http.fetch('GET', '/none', undefined, never), { code: 'not_found' });

  const controller = new AbortController();
  const stream = await http.fetch('GET', '/endless', undefined, controller.signal);
  const reader = stream.body?.getReader();
  assert.ok(reader && !(await reader.read()).done);
  const reason = new DOMException('idle', 'TimeoutError');
  controller.abort(reason);
  await assert.rejects(
    async () => {
      while (!(await reader.read()).done);
    },
    (error) => error === reason,
  );
  await gone.promise;
  const second = await http.fetch('GET', '/endless', undefined, never);
  await second.body?.cancel();
  await assert.rejects(
    http.fetch('GET', '/endless', undefined, AbortSignal.abort(reason)),
    (error) => error === reason,
  );
});

test('REMOTE-8: what is no worker of this version, or does not take the key, is told apart', async (t) => {
  const opened = await openWorker(temporaryFolder());
  t.after(() => opened.close());
  const { url } = opened;
  const fails = async (pairing: Parameters<typeof tryWorker>[0], code: string) =>
    assert.rejects(
      tryWorker(pairing, never),
      (error) => error instanceof ApprenticeError && error.code === code,
    );
  await fails({ url, key: 'another-key-of-16', sha256: null }, 'unauthorized');
  await fails({ url: 'http://127.0.0.1:9', key: KEY, sha256: null }, 'worker_unavailable');
  assert.equal((await tryWorker({ url, key: PLAIN_KEY, sha256: null }, never)).linkProtocol, LINK_PROTOCOL);
  const old = new Hono().all('*', (c) => c.json({ error: 'no such route' }, 404));
  const other = createServerOf(t, old);
  await fails({ url: await other, key: KEY, sha256: null }, 'version_mismatch');
});

test('REMOTE-9: the environment wins over config.json, and a line that is none is refused', () => {
  const here = Config.parse({ worker: { threads: 2 } });
  const engine = { kind: 'embedded' };
  assert.deepEqual(here.worker, {
    kind: 'local',
    python: null,
    model: null,
    threads: 2,
    engine,
    device: 'cpu',
    trainer: TORCH,
    maxRunning: 8,
  });
  assert.equal(remoteWorker(here, {}), null);
  const there = Config.parse({ worker: { kind: 'remote', url: 'https://gpu.example:7430', key: KEY } });
  assert.equal(remoteWorker(there, {})?.url, 'https://gpu.example:7430');
  const line = formatPairing({ url: 'https://other.example:7430', key: KEY, sha256: null });
  assert.equal(remoteWorker(there, { APPRENTICE_WORKER: line })?.url, 'https://other.example:7430');
  assert.throws(() => remoteWorker(here, { APPRENTICE_WORKER: 'gpu.example' }), { code: 'invalid_request' });
  for (const worker of [
    { kind: 'remote', url: 'https://gpu.example/path', key: KEY },
    { kind: 'remote', url: 'https://gpu.example' },
    { kind: 'remote', url: 'ftp://gpu.example', key: KEY },
    { kind: 'local', url: 'https://gpu.example' },
    { pyhton: '/usr/bin/python3' },
  ])
    assert.equal(Config.safeParse({ worker }).success, false, JSON.stringify(worker));
});

async function createServerOf(t: TestContext, app: Hono): Promise<string> {
  const { serve } = await import('@hono/node-server');
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
