/** The link's client over real sockets: what it sends after a drop, and how it tells of the worker's state. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { WorkerLink, type WorkerStatus } from '../../../agent-server/loops/worker-link.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BatchId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { type FromWorker, ToWorker } from '../../../agent-server/protocol/link.ts';

const batchId = BatchId.parse('6f2e9a50-52ad-4b0c-9d6c-6a3a3b0a6f11');
const ready = { state: 'ready' as const, restarts: 0, detail: null };
const metrics = {
  loss: 0,
  gradNorm: 1,
  klToParent: 0,
  klToBase: 0,
  steps: [],
  trainedTokens: 1,
  tokens: 1,
  seconds: 1,
};
const trained: FromWorker = {
  type: 'trained',
  batchId,
  version: weightVersion(1),
  folder: '/adapters/policy@v1',
  adapterSha256: '0'.repeat(64),
  metrics,
};

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** One end of a connection: what the client said, one message at a time. */
class Peer {
  readonly #messages: ToWorker[] = [];
  #wake = Promise.withResolvers<void>();
  readonly socket: WebSocket;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.#messages.push(ToWorker.parse(JSON.parse(String(data))));
      this.#wake.resolve();
    });
  }
  async next(): Promise<ToWorker> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
  say(message: FromWorker): void {
    this.socket.send(JSON.stringify(message));
  }
  async welcome(engineEpoch: string): Promise<void> {
    assert.deepEqual(await this.next(), { type: 'hello', protocol: 1 });
    this.say({ type: 'welcome', protocol: 1, engine: ready, trainer: ready, versions: [], engineEpoch });
  }
}

async function listen(heartbeatMs?: number) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/link' });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const log: string[] = [];
  const link = new WorkerLink({
    endpoint: () => ({ url, key: 'secret' }),
    log: (line) => log.push(line),
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
  });
  undo.push(
    () => server.close(),
    () => link.close(),
  );
  const accept = async () => {
    const [socket, request] = await once(server, 'connection');
    assert.equal(request.headers.authorization, 'Bearer secret');
    return new Peer(socket);
  };
  return { link, accept, log };
}

const statusWhere = (link: WorkerLink, test: (status: WorkerStatus) => boolean) =>
  new Promise<WorkerStatus>((resolve) => {
    const dispose = link.onStatus((status) => {
      if (!test(status)) return;
      dispose();
      resolve(status);
    });
  });

test('UPLINK-1: a batch handed over before a drop is submitted again after it, and answers once', async () => {
  const { link, accept } = await listen();
  const accepted = accept();
  link.connect();
  const training = link.train(batchId, '/batches/one', new AbortController().signal);
  const first = await accepted;
  await first.welcome('a');
  const submitted = { type: 'train', batchId, folder: '/batches/one' };
  assert.deepEqual(await first.next(), submitted);
  const dropped = statusWhere(link, (status) => !status.connected);
  const again = accept();
  first.socket.terminate();
  await dropped;
  const second = await again;
  await second.welcome('b');
  assert.deepEqual(await second.next(), submitted);
  second.say(trained);
  assert.equal((await training).version, 'policy@v1');
});

test('UPLINK-2: the worker’s refusal is the caller’s error, and a cancel reaches the worker', async () => {
  const { link, accept } = await listen();
  const accepted = accept();
  link.connect();
  const peer = await accepted;
  const connected = statusWhere(link, (status) => status.connected);
  await peer.welcome('a');
  await connected;
  const refused = link.train(batchId, '/b', new AbortController().signal);
  await peer.next();
  peer.say({ type: 'failed', batchId, code: 'batch_tampered', message: 'sha256 differs' });
  await assert.rejects(
    refused,
    (error) => error instanceof ApprenticeError && error.code === 'batch_tampered',
  );
  const controller = new AbortController();
  const cancelled = link.train(batchId, '/b', controller.signal);
  await peer.next();
  controller.abort();
  await assert.rejects(cancelled, (error) => error instanceof ApprenticeError && error.code === 'aborted');
  assert.deepEqual(await peer.next(), { type: 'cancel', batchId });
});

test('UPLINK-3: a message that does not parse closes the link with 4400, and heartbeats go out', async () => {
  const { link, accept } = await listen(5);
  const accepted = accept();
  link.connect();
  const peer = await accepted;
  await peer.welcome('a');
  assert.equal((await peer.next()).type, 'ping');
  const closed = once(peer.socket, 'close');
  peer.socket.send('{"type":"surprise"}');
  assert.equal((await closed)[0], 4400);
});
