/** The link's client over real sockets: what it sends after a drop, and how it tells of the worker's state. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import type { WorkerLink, WorkerStatus } from '../../../agent-server/loops/worker-link.ts';
import { ChunkChannel } from '../../../agent-server/parcels/chunk-channel.ts';
import { describeFiles } from '../../../agent-server/parcels/pull.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { type FromWorker, LINK_PROTOCOL, ToWorker } from '../../../agent-server/protocol/link.ts';
import type { BatchManifest } from '../../../agent-server/protocol/training.ts';
import { ADAPTER_FORM } from '../../../gpu-worker/weights/forms.ts';
import { Weights } from '../../../gpu-worker/weights/weights.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { linkTo, OWNER, READY } from '../../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { METRICS } from '../../fixtures/records.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** One end of a connection: what the client said, one message at a time. */
class Peer {
  readonly #messages: ToWorker[] = [];
  #wake = Promise.withResolvers<void>();
  readonly socket: WebSocket;
  readonly channel: ChunkChannel;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.channel = new ChunkChannel({
      text: (message) => this.say(message),
      chunk: (frame) => socket.send(frame),
    });
    socket.on('message', (data) => {
      const message = ToWorker.parse(JSON.parse(String(data)));
      if (message.type === 'read') return void this.channel.answer(message);
      this.#messages.push(message);
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
    assert.deepEqual(await this.next(), { type: 'hello', protocol: LINK_PROTOCOL, owner: OWNER });
    const baseModel = 'base@1';
    this.say({
      type: 'welcome',
      protocol: LINK_PROTOCOL,
      baseModel,
      engine: READY,
      trainer: READY,
      versions: [],
      engineEpoch,
    });
    assert.equal((await this.next()).type, 'keep');
  }
}

async function listen(heartbeatMs?: number) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/link' });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const home = temporaryFolder();
  const log: string[] = [];
  const link = linkTo(() => ({ url, key: 'secret' }), home, {
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
  return { link, accept, log, home };
}

/** What a worker would have made of a batch: a folder, and the message that tells of it. */
async function made({ batchId, version, parent, hyperparameters }: BatchManifest) {
  const weights = new Weights(temporaryFolder(), 'base@1');
  await weights.open();
  const unfinished = await weights.begin();
  await writeFile(join(unfinished.adapterFolder, 'adapter_model.safetensors'), 'weights'.repeat(50_000));
  await writeFile(join(unfinished.adapterFolder, 'adapter_config.json'), '{}');
  await writeFile(unfinished.optimizerFile, 'moments');
  const { adapterSha256 } = await weights.publish(unfinished, {
    format: 1,
    version,
    parent,
    batchId,
    sampleIds: [],
    hyperparameters,
    createdAt: '2026-01-01T00:00:00.000Z',
    metrics: METRICS,
  });
  const folder = weights.folder(version);
  const trained: FromWorker = {
    type: 'trained',
    batchId,
    version,
    files: await describeFiles(folder, ADAPTER_FORM.travels),
    adapterSha256,
    metrics: METRICS,
  };
  return { folder, trained };
}

const statusWhere = (link: WorkerLink, test: (status: WorkerStatus) => boolean) =>
  new Promise<WorkerStatus>((resolve) => {
    const dispose = link.onStatus((status) => {
      if (!test(status)) return;
      dispose();
      resolve(status);
    });
  });

test('UPLINK-1: a batch handed over before a drop is submitted again after it, answers once, and its version is fetched', async () => {
  const { link, accept, home } = await listen();
  const { folder, manifest } = await writeBatch(home);
  const { batchId, version } = manifest;
  const accepted = accept();
  link.connect();
  const training = link.train(batchId, folder, new AbortController().signal);
  const first = await accepted;
  await first.welcome('a');
  const submitted = await first.next();
  assert.deepEqual(submitted.type === 'train' && submitted.files.map(({ name }) => name), [
    'manifest.json',
    'batch.safetensors',
  ]);
  const dropped = statusWhere(link, (status) => !status.connected);
  const again = accept();
  first.socket.terminate();
  await dropped;
  const second = await again;
  await second.welcome('b');
  assert.deepEqual(await second.next(), submitted);
  const its = await made(manifest);
  second.channel.offer({ kind: 'version', version }, its.folder);
  second.say(its.trained);
  const trained = await training;
  assert.deepEqual([trained.version, trained.folder], [version, join(home, 'adapters', version)]);
  for (const name of ADAPTER_FORM.travels)
    assert.deepEqual(await readFile(join(trained.folder, name)), await readFile(join(its.folder, name)));
});

test('UPLINK-2: the worker’s refusal is the caller’s error, and a cancel reaches the worker', async () => {
  const { link, accept, home } = await listen();
  const accepted = accept();
  link.connect();
  const peer = await accepted;
  const connected = statusWhere(link, (status) => status.connected);
  await peer.welcome('a');
  await connected;
  const { folder, manifest } = await writeBatch(home);
  const { batchId } = manifest;
  const refused = link.train(batchId, folder, new AbortController().signal);
  await peer.next();
  peer.say({ type: 'failed', batchId, code: 'batch_tampered', message: 'sha256 differs' });
  await assert.rejects(
    refused,
    (error) => error instanceof ApprenticeError && error.code === 'batch_tampered',
  );
  const controller = new AbortController();
  const cancelled = link.train(batchId, folder, controller.signal);
  await peer.next();
  controller.abort();
  await assert.rejects(cancelled, (error) => error instanceof ApprenticeError && error.code === 'aborted');
  assert.deepEqual(await peer.next(), { type: 'cancel', batchId });
});

test('UPLINK-4: a batch goes out after its parent, which the worker may have lost', async () => {
  const { link, accept, home } = await listen();
  const parent = (await writeBatch(home)).manifest;
  const { folder, manifest } = await writeBatch(home, { number: 2 });
  assert.equal(manifest.parent, parent.version);
  const its = await made(parent);
  const accepted = accept();
  link.connect();
  const training = link.train(manifest.batchId, folder, new AbortController().signal);
  const peer = await accepted;
  await peer.welcome('a');
  await assert.rejects(training, { code: 'adapter_invalid' }, 'it is not here either');
  await cp(its.folder, join(home, 'adapters', parent.version), { recursive: true });
  const again = link.train(manifest.batchId, folder, new AbortController().signal);
  const put = await peer.next();
  assert.ok(put.type === 'put' && its.trained.type === 'trained');
  assert.deepEqual([put.version, put.adapterSha256], [parent.version, its.trained.adapterSha256]);
  peer.say({ type: 'unheld', version: parent.version, code: 'disk_full', message: 'no room' });
  await assert.rejects(again, { code: 'disk_full' });
});

test('UPLINK-4: who asks for the same version at the same time is answered with it', async () => {
  const { link, accept, home } = await listen();
  const { manifest } = await writeBatch(home);
  const its = await made(manifest);
  const { version } = manifest;
  await cp(its.folder, join(home, 'adapters', version), { recursive: true });
  const accepted = accept();
  link.connect();
  const peer = await accepted;
  await peer.welcome('a');
  const limit = AbortSignal.timeout(10_000);
  const both = [link.supply(version, limit), link.supply(version, limit)];
  for (const _ of both) assert.equal((await peer.next()).type, 'put');
  for (const _ of both) peer.say({ type: 'held', version });
  await Promise.all(both);
  const again = [link.supply(version, limit), link.supply(version, limit)];
  for (const _ of again) assert.equal((await peer.next()).type, 'put');
  for (const _ of again) peer.say({ type: 'unheld', version, code: 'disk_full', message: 'no room' });
  for (const one of await Promise.allSettled(again)) assert.equal(one.status, 'rejected');
});

test('UPLINK-5: a refusal is told once, with its reason', async () => {
  const { link, accept, log } = await listen();
  const accepted = accept();
  link.connect();
  const peer = await accepted;
  await peer.next();
  const told = statusWhere(link, (status) => !status.connected && status.error?.code === 'worker_taken');
  peer.say({ type: 'refused', code: 'worker_taken', message: 'Another one uses it.' });
  peer.socket.close(4403);
  await told;
  assert.deepEqual(log, ['Another one uses it.']);
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
