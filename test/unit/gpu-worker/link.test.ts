/** The worker's port and link over a fake training backend, with a real `ws` client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { Hono } from 'hono';
import WebSocket from 'ws';
import { ChunkChannel } from '../../../agent-server/parcels/chunk-channel.ts';
import { describeFiles } from '../../../agent-server/parcels/pull.ts';
import { type BatchId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { FromWorker, LINK_PROTOCOL, type ToWorker } from '../../../agent-server/protocol/link.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { KEY, type OpenedWorker, OWNER, openWorker } from '../../fixtures/gpu-worker.ts';

const BATCH_FILES = ['manifest.json', 'batch.safetensors'] as const;
const FILES = [{ name: 'manifest.json' as const, sizeBytes: 1, sha256: '0'.repeat(64) }];
const OTHER_OWNER = 'c0c1b6a0-2a53-4a0e-bb0b-3f1d64a0a001';

suite('worker port', { timeout: 20_000 }, () => {
  let home: string;
  let worker: OpenedWorker;
  const openPort = async (silenceLimitMs: number) => {
    const routes = new Hono();
    routes.get('/health', (c) => c.body(null, 503));
    routes.get('/model_info', (c) => c.text('let in'));
    routes.post('/load_lora_adapter', async (c) => c.text(`loads ${(await c.req.json()).lora_path}`));
    worker = await openWorker(home, { routes, silenceLimitMs, hosts: ['gpu.example'] });
  };
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-link-'));
    await openPort(15_000);
  });
  afterEach(async () => {
    await worker.close();
    await rm(home, { recursive: true, force: true });
  });

  const bearer = { authorization: `Bearer ${KEY}` };
  /** Status and body of one request; `fetch` would not send a foreign Host. */
  const ask = async (path: string, headers: Record<string, string>, body?: string) => {
    const sent = request({
      port: worker.port,
      path,
      host: '127.0.0.1',
      method: body ? 'POST' : 'GET',
      headers,
    });
    sent.end(body);
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: Number(response.statusCode), text };
  };
  const connect = (headers: Record<string, string> = bearer) =>
    new WebSocket(`ws://127.0.0.1:${worker.port}/link`, { headers });
  const send = (socket: WebSocket, message: ToWorker) => socket.send(JSON.stringify(message));
  /** The messages of a socket, one after the other; reads of what was offered are answered. */
  async function* messages(socket: WebSocket, channel: ChunkChannel): AsyncGenerator<FromWorker> {
    for await (const [data] of on(socket)) {
      const message = FromWorker.parse(JSON.parse(String(data)));
      if (message.type === 'read') void channel.answer(message);
      else yield message;
    }
  }
  const greet = async (socket: WebSocket, owner = OWNER, protocol: number = LINK_PROTOCOL) => {
    const channel = new ChunkChannel({
      text: (message) => send(socket, message),
      chunk: (frame) => socket.send(frame),
    });
    const incoming = messages(socket, channel);
    await once(socket, 'open');
    send(socket, { type: 'hello', protocol, owner });
    const { value: first } = await incoming.next();
    return { incoming, channel, first };
  };

  test('PORT-1: only /health answers without the key', async () => {
    assert.equal((await ask('/health', {})).status, 503);
    assert.equal((await ask('/model_info', {})).status, 401);
    assert.equal((await ask('/model_info', { authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await ask('/model_info', bearer)).text, 'let in');
  });

  test('PORT-2: a foreign Host and any Origin are refused, on the link too', async () => {
    assert.equal((await ask('/health', { host: 'evil.example' })).status, 403);
    assert.equal((await ask('/model_info', { ...bearer, host: `localhost:${worker.port}` })).status, 200);
    assert.equal((await ask('/model_info', { ...bearer, host: `GPU.example:${worker.port}` })).status, 200);
    assert.equal((await ask('/model_info', { ...bearer, origin: 'http://localhost' })).status, 403);
    for (const headers of [{}, { ...bearer, origin: 'http://x' }, { ...bearer, host: 'evil.example' }]) {
      const [, response] = await once(connect(headers), 'unexpected-response');
      assert.ok([401, 403].includes(response.statusCode));
      response.resume();
    }
  });

  test('PORT-3: a version is loaded by its name out of the worker’s own folders, once it verifies; a path never', async () => {
    const load = (name: string, path: string) =>
      ask('/load_lora_adapter', bearer, JSON.stringify({ lora_name: name, lora_path: path }));
    const refusals = [
      await load('policy@v1', 'policy@v1'),
      await load('policy@v1', join(home, 'adapters', 'policy@v1')),
      await load('../policy@v1', '../policy@v1'),
    ];
    for (const refusal of refusals) {
      assert.equal(refusal.status, 400);
      const body = JSON.parse(refusal.text);
      assert.deepEqual([body.success, body.error.code], [false, 'adapter_invalid']);
    }
    const { folder, manifest } = await writeBatch(home);
    const { version } = manifest;
    const { incoming } = await train(manifest.batchId, folder);
    assert.equal((await last(incoming, 'trained')).version, version);
    assert.equal((await load(version, version)).text, `loads ${worker.weights.folder(version)}`);
  });

  test('PORT-4: the base model is not changed over the port', async () => {
    const refusal = await ask('/update_weights_from_disk', bearer, JSON.stringify({ model_path: home }));
    assert.equal(refusal.status, 400);
  });

  const train = async (batchId: BatchId, folder: string) => {
    const socket = connect();
    const greeted = await greet(socket);
    const files = await describeFiles(folder, BATCH_FILES);
    greeted.channel.offer({ kind: 'batch', batchId }, folder);
    send(socket, { type: 'train', batchId, files });
    return { socket, ...greeted };
  };
  const last = async <T extends FromWorker['type']>(
    incoming: AsyncGenerator<FromWorker>,
    type: T,
  ): Promise<Extract<FromWorker, { type: T }>> => {
    for await (const message of incoming) if (is(message, type)) return message;
    return assert.fail(`no ${type}`);
  };

  test('LINK-1: a batch is sent over the link and trained, with progress, and is known after a reconnect', async () => {
    const { folder, manifest } = await writeBatch(home);
    const { incoming, first } = await train(manifest.batchId, folder);
    assert.deepEqual(first?.type === 'welcome' && [first.versions, first.baseModel], [[], 'base@1']);
    const phases: string[] = [];
    for await (const message of incoming) {
      if (message.type === 'progress') phases.push(message.phase);
      if (message.type !== 'trained') continue;
      assert.equal(message.version, manifest.version);
      assert.equal(message.batchId, manifest.batchId);
      break;
    }
    assert.deepEqual(phases, ['loading', 'training', 'saving']);
    await rm(folder, { recursive: true });

    const again = connect();
    const { incoming: answers, first: welcome } = await greet(again);
    assert.deepEqual(welcome?.type === 'welcome' && welcome.versions, [manifest.version]);
    send(again, { type: 'train', batchId: manifest.batchId, files: FILES });
    assert.equal((await answers.next()).value?.type, 'trained');
    assert.equal(worker.backend.started, 1);
  });

  test('LINK-2: what cannot be trained fails with its code, and nothing of it is left', async () => {
    const { manifest } = await writeBatch(home);
    const { batchId } = manifest;
    const socket = connect();
    const { incoming } = await greet(socket);
    send(socket, { type: 'train', batchId, files: FILES });
    assert.equal((await last(incoming, 'failed')).code, 'not_found', 'it was never offered');
    const { folder: wrong } = await writeBatch(home, { number: 2 });
    const second = await train(batchId, wrong);
    assert.equal((await last(second.incoming, 'failed')).code, 'batch_invalid');
    assert.deepEqual(await readdir(join(home, 'received')), []);
  });

  test('LINK-3: nonsense, and work before hello, close the link with 4400', async () => {
    const { manifest } = await writeBatch(home);
    const early = JSON.stringify({ type: 'train', batchId: manifest.batchId, files: FILES });
    const path = JSON.stringify({ type: 'keep', versions: ['../policy@v1'] });
    for (const text of ['{', '{"type":"dance"}', early, path, Buffer.from('a chunk that nobody asked for')]) {
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
    worker.link.statusChanged();
    assert.equal((await incoming.next()).value?.type, 'status');
  });

  test('LINK-5: a silent client is cut off', async () => {
    await worker.close();
    await openPort(20);
    const socket = connect();
    await once(socket, 'open');
    await once(socket, 'close');
  });

  test('LINK-6: another protocol is refused by name', async () => {
    const socket = connect();
    const { first } = await greet(socket, OWNER, 1);
    assert.deepEqual(first?.type === 'refused' && first.code, 'version_mismatch');
    assert.equal((await once(socket, 'close'))[0], 4403);
  });

  test('LINK-7: a worker has one owner; the next finds nothing of the last one’s', async () => {
    const { folder, manifest } = await writeBatch(home);
    const { incoming, socket, first: before } = await train(manifest.batchId, folder);
    await last(incoming, 'trained');
    const refused = await greet(connect(), OTHER_OWNER);
    assert.equal(refused.first?.type === 'refused' && refused.first.code, 'worker_taken');
    socket.close();
    await once(socket, 'close');
    const { first: after } = await greet(connect(), OTHER_OWNER);
    assert.ok(before?.type === 'welcome' && after?.type === 'welcome');
    assert.deepEqual([after.versions, worker.unloads()], [[], 2], 'the first owner cleared it too');
    assert.notEqual(after.engineEpoch, before.engineEpoch);
    assert.deepEqual(await readdir(join(home, 'optimizer')), []);
  });

  test('LINK-8: versions that the agent-server does not name are deleted, with their moments', async () => {
    for (const number of [1, 2]) {
      const { folder, manifest } = await writeBatch(home, { number });
      const { incoming, socket } = await train(manifest.batchId, folder);
      await last(incoming, 'trained');
      socket.close();
    }
    const socket = connect();
    const { incoming } = await greet(socket);
    send(socket, { type: 'keep', versions: [weightVersion(1)] });
    while ((await worker.weights.versions()).length > 1) {
      send(socket, { type: 'ping', at: 0 });
      await incoming.next();
    }
    assert.deepEqual(await worker.weights.versions(), ['policy@v1']);
  });
});

function is<T extends FromWorker['type']>(
  message: FromWorker,
  type: T,
): message is Extract<FromWorker, { type: T }> {
  return message.type === type;
}

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
