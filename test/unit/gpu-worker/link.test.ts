/** The worker's port and link over a fake training backend, with a real `ws` client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { Hono } from 'hono';
import WebSocket from 'ws';
import { FromWorker, type ProcessState, type ToWorker } from '../../../agent-server/protocol/link.ts';
import { LinkServer } from '../../../gpu-worker/link/link-server.ts';
import { workerServer } from '../../../gpu-worker/server.ts';
import { TrainingRuns } from '../../../gpu-worker/trainer/runs.ts';
import { Weights } from '../../../gpu-worker/weights/weights.ts';
import { FakeTrainBackend } from '../../fakes/trainer.ts';
import { writeBatch } from '../../fixtures/batches.ts';

const KEY = 'a key of the right length';
const READY: ProcessState = { state: 'ready', restarts: 0, detail: null };

suite('worker port', { timeout: 20_000 }, () => {
  let home: string;
  let server: Server;
  let link: LinkServer;
  let port: number;
  const openPort = async (silenceLimitMs: number) => {
    const weights = new Weights(home, 'base@1');
    await weights.open();
    const backend = new FakeTrainBackend();
    link = new LinkServer({
      trainer: new TrainingRuns(weights, backend, () => {}),
      view: {
        engine: () => READY,
        trainer: () => backend.state(),
        engineEpoch: () => 'epoch',
        versions: () => weights.versions(),
      },
      log: () => {},
      silenceLimitMs,
    });
    const routes = new Hono();
    routes.get('/health', (c) => c.body(null, 503));
    routes.get('/model_info', (c) => c.text('let in'));
    routes.post('/load_lora_adapter', (c) => c.text('loaded'));
    server = workerServer({ key: KEY, routes, weights, link, log: () => {} });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address && typeof address === 'object');
    port = address.port;
  };
  const closePort = () => {
    link.close();
    server.closeAllConnections();
    server.close();
  };
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-link-'));
    await openPort(15_000);
  });
  afterEach(async () => {
    closePort();
    await rm(home, { recursive: true, force: true });
  });

  const bearer = { authorization: `Bearer ${KEY}` };
  /** Status and body of one request; `fetch` would not send a foreign Host. */
  const ask = async (path: string, headers: Record<string, string>, body?: string) => {
    const sent = request({ port, path, host: '127.0.0.1', method: body ? 'POST' : 'GET', headers });
    sent.end(body);
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: Number(response.statusCode), text };
  };
  const connect = (headers: Record<string, string> = bearer) =>
    new WebSocket(`ws://127.0.0.1:${port}/link`, { headers });
  const send = (socket: WebSocket, message: ToWorker) => socket.send(JSON.stringify(message));
  /** The messages of a socket, one after the other. */
  async function* messages(socket: WebSocket): AsyncGenerator<FromWorker> {
    for await (const [data] of on(socket)) yield FromWorker.parse(JSON.parse(String(data)));
  }
  const greet = async (socket: WebSocket) => {
    const incoming = messages(socket);
    await once(socket, 'open');
    send(socket, { type: 'hello', protocol: 1 });
    const welcome = await incoming.next();
    assert.equal(welcome.value?.type, 'welcome');
    return { incoming, welcome: welcome.value };
  };

  test('PORT-1: only /health answers without the key', async () => {
    assert.equal((await ask('/health', {})).status, 503);
    assert.equal((await ask('/model_info', {})).status, 401);
    assert.equal((await ask('/model_info', { authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await ask('/model_info', bearer)).text, 'let in');
  });

  test('PORT-2: a foreign Host and any Origin are refused, on the link too', async () => {
    assert.equal((await ask('/health', { host: 'evil.example' })).status, 403);
    assert.equal((await ask('/model_info', { ...bearer, host: `localhost:${port}` })).status, 200);
    assert.equal((await ask('/model_info', { ...bearer, origin: 'http://localhost' })).status, 403);
    for (const headers of [{}, { ...bearer, origin: 'http://x' }, { ...bearer, host: 'evil.example' }]) {
      const [, response] = await once(connect(headers), 'unexpected-response');
      assert.ok([401, 403].includes(response.statusCode));
      response.resume();
    }
  });

  test('PORT-3: an adapter folder that does not verify never reaches the engine', async () => {
    const load = (path: string) =>
      ask('/load_lora_adapter', bearer, JSON.stringify({ lora_name: 'policy@v1', lora_path: path }));
    const refusal = await load(join(home, 'adapters', 'policy@v1'));
    assert.equal(refusal.status, 400);
    const body = JSON.parse(refusal.text);
    assert.equal(body.success, false);
    assert.equal(body.error.code, 'adapter_invalid');
  });

  test('LINK-1: a batch is trained over the link, with progress, and is known after a reconnect', async () => {
    const { folder, manifest } = await writeBatch(home);
    const first = await greet(connect());
    assert.deepEqual(first.welcome?.type === 'welcome' && first.welcome.versions, []);
    const socket = connect();
    const { incoming } = await greet(socket);
    send(socket, { type: 'train', batchId: manifest.batchId, folder });
    const phases: string[] = [];
    for await (const message of incoming) {
      if (message.type === 'progress') phases.push(message.phase);
      if (message.type !== 'trained') continue;
      assert.equal(message.version, manifest.version);
      assert.equal(message.batchId, manifest.batchId);
      break;
    }
    assert.deepEqual(phases, ['loading', 'training', 'saving']);

    const again = connect();
    const { incoming: answers, welcome } = await greet(again);
    assert.deepEqual(welcome?.type === 'welcome' && welcome.versions, [manifest.version]);
    send(again, { type: 'train', batchId: manifest.batchId, folder });
    assert.equal((await answers.next()).value?.type, 'trained');
  });

  test('LINK-2: what cannot be trained fails with its code', async () => {
    const { manifest } = await writeBatch(home);
    const socket = connect();
    const { incoming } = await greet(socket);
    send(socket, { type: 'train', batchId: manifest.batchId, folder: join(home, 'nowhere') });
    const { value } = await incoming.next();
    assert.equal(value?.type === 'failed' && value.code, 'batch_invalid');
  });

  test('LINK-3: nonsense, and work before hello, close the link with 4400', async () => {
    const { manifest } = await writeBatch(home);
    const train = JSON.stringify({ type: 'train', batchId: manifest.batchId, folder: home });
    for (const text of ['{', '{"type":"dance"}', train]) {
      const socket = connect();
      await once(socket, 'open');
      socket.send(text);
      assert.equal((await once(socket, 'close'))[0], 4400);
    }
  });

  test('LINK-4: pings are answered and a change of state is told', async () => {
    const socket = connect();
    const { incoming } = await greet(socket);
    send(socket, { type: 'ping', at: 42 });
    assert.deepEqual((await incoming.next()).value, { type: 'pong', at: 42 });
    link.statusChanged();
    assert.equal((await incoming.next()).value?.type, 'status');
  });

  test('LINK-5: a silent client is cut off', async () => {
    closePort();
    await openPort(20);
    const socket = connect();
    await once(socket, 'open');
    await once(socket, 'close');
  });
});

/** `message` events as an async iterable; unlike events.on it ends when the socket closes. */
async function* on(socket: WebSocket): AsyncGenerator<[unknown]> {
  const queue: unknown[] = [];
  let wake = () => {};
  socket.on('message', (data) => {
    queue.push(data);
    wake();
  });
  socket.on('close', () => wake());
  while (socket.readyState !== WebSocket.CLOSED || queue.length > 0) {
    if (queue.length > 0) yield [queue.shift()];
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
