/**
 * One connection of the agent-server to a gpu-worker, from the handshake to its end: greets, keeps alive, matches
 * answers with what was asked, lets the worker read what is offered to it. Connecting again, and what is asked, is
 * worker-link.ts.
 */
import WebSocket, { type RawData } from 'ws';
import type { EngineEndpoint } from '../engine/http-client.ts';
import { tlsOptions } from '../engine/tls.ts';
import { ChunkChannel } from '../parcels/chunk-channel.ts';
import { ApprenticeError, type ErrorCode } from '../protocol/errors.ts';
import type { BatchId, WeightVersion } from '../protocol/ids.ts';
import { CLOSE_UNPARSED, FromWorker, LINK_PROTOCOL, type ToWorker } from '../protocol/link.ts';
import { MAX_FRAME_BYTES } from '../protocol/parcel.ts';

export type Welcome = Extract<FromWorker, { type: 'welcome' }>;
export type TrainedAnswer = Extract<FromWorker, { type: 'trained' }>;
export type TrainerProgress = Extract<FromWorker, { type: 'progress' | 'queued' }>;
export type StatusMessage = Extract<FromWorker, { type: 'status' }>;

/** Hears of every message how large it was. */
export type OnTraffic = (direction: 'sent' | 'received', bytes: number) => void;

export interface ConnectionOptions {
  /** Names this agent-server's store to the worker. */
  owner: string;
  heartbeatMs: number;
  onWelcome(welcome: Welcome): void;
  onStatus(status: StatusMessage): void;
  onProgress(progress: TrainerProgress): void;
  onTraffic: OnTraffic;
  /** It is over, or never began; once. `refused`: trying again at once is of no use. */
  onClosed(error: ApprenticeError): void;
}

const HANDSHAKE_LIMIT_MS = 10_000;
const NOTHING_SAID = 'it was closed';
/** Missed heartbeats before the peer counts as gone. */
const SILENT_HEARTBEATS = 4;

interface Waiting<T> {
  resolve(answer: T): void;
  reject(error: ApprenticeError): void;
}

export class LinkConnection {
  readonly channel: ChunkChannel;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #trains = new Map<BatchId, Set<Waiting<TrainedAnswer>>>();
  readonly #puts = new Map<WeightVersion, Set<Waiting<void>>>();
  readonly #silence: NodeJS.Timeout;
  readonly #heartbeat: NodeJS.Timeout;
  #lost: ApprenticeError | null = null;
  #refusal: ApprenticeError | null = null;
  #failure = NOTHING_SAID;

  constructor(endpoint: EngineEndpoint, options: ConnectionOptions) {
    this.#options = options;
    this.#socket = new WebSocket(`${endpoint.url.replace(/^http/, 'ws')}/link`, {
      headers: { authorization: `Bearer ${endpoint.key}` },
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
      maxPayload: MAX_FRAME_BYTES,
      ...tlsOptions(endpoint),
    });
    this.channel = new ChunkChannel({
      text: (message) => this.send(message),
      chunk: (frame) => this.#write(frame),
    });
    // No welcome, or several heartbeats unanswered: the peer hangs.
    const silenceMs = Math.max(HANDSHAKE_LIMIT_MS, SILENT_HEARTBEATS * options.heartbeatMs);
    this.#silence = setTimeout(() => {
      this.#failure = `it was silent for ${silenceMs / 1000} s`;
      this.#socket.terminate();
    }, silenceMs);
    this.#heartbeat = setInterval(() => this.send({ type: 'ping', at: Date.now() }), options.heartbeatMs);
    this.#socket.on('open', () =>
      this.send({ type: 'hello', protocol: LINK_PROTOCOL, owner: options.owner }),
    );
    this.#socket.on('message', (data, isBinary) => {
      this.#silence.refresh();
      this.#options.onTraffic('received', sizeOf(data));
      this.#receive(data, isBinary);
    });
    this.#socket.on('error', (error) => {
      if (this.#failure === NOTHING_SAID) this.#failure = error.message;
    });
    this.#socket.on('unexpected-response', (_request, response) => {
      if (response.statusCode === 401) this.#refusal = keyRefused(endpoint.url);
      this.#failure = `it answers ${response.statusCode}`;
      response.resume();
      this.#socket.terminate();
    });
    this.#socket.on('close', (code, reason) => this.#closed(code, String(reason)));
  }

  /** Why it is over; null while it is not. */
  get lost(): ApprenticeError | null {
    return this.#lost;
  }

  send(message: ToWorker): void {
    this.#write(JSON.stringify(message));
  }

  /** Asks for a batch to be trained. Throws the worker's error, and `lost` when the connection ends first. */
  train(message: Extract<ToWorker, { type: 'train' }>): Promise<TrainedAnswer> {
    return this.#ask(this.#trains, message.batchId, message);
  }

  /** Asks the worker to have a version. Throws as above. */
  put(message: Extract<ToWorker, { type: 'put' }>): Promise<void> {
    return this.#ask(this.#puts, message.version, message);
  }

  close(): void {
    this.#socket.terminate();
  }

  /** Whoever asks for the same meanwhile is answered with it: a version may be wanted for a load and for a training. */
  #ask<K, T>(waiting: Map<K, Set<Waiting<T>>>, key: K, message: ToWorker): Promise<T> {
    if (this.#lost) return Promise.reject(this.#lost);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const entry = { resolve, reject };
    const asking = waiting.get(key) ?? new Set();
    waiting.set(key, asking.add(entry));
    this.send(message);
    return promise.finally(() => {
      asking.delete(entry);
      if (asking.size === 0 && waiting.get(key) === asking) waiting.delete(key);
    });
  }

  #write(data: string | Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(data);
    this.#options.onTraffic('sent', Buffer.byteLength(data));
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (isBinary) {
      if (!(data instanceof Buffer) || !this.channel.received(data))
        this.#socket.close(CLOSE_UNPARSED, 'unknown chunk');
      return;
    }
    const message = parse(String(data));
    if (message === null) this.#socket.close(CLOSE_UNPARSED, 'unknown message');
    else this.#take(message);
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'welcome':
        this.#options.onWelcome(message);
        break;
      case 'refused':
        this.#refusal = new ApprenticeError(message.code, message.message, '');
        break;
      case 'status':
        this.#options.onStatus(message);
        break;
      case 'progress':
      case 'queued':
        this.#options.onProgress(message);
        break;
      case 'trained':
        for (const one of this.#trains.get(message.batchId) ?? []) one.resolve(message);
        break;
      case 'failed':
        for (const one of this.#trains.get(message.batchId) ?? [])
          one.reject(told(message, 'See logs/trainer.log.'));
        break;
      case 'held':
        for (const one of this.#puts.get(message.version) ?? []) one.resolve();
        break;
      case 'unheld':
        for (const one of this.#puts.get(message.version) ?? [])
          one.reject(told(message, 'See logs/gpu-worker.log.'));
        break;
      case 'read':
        void this.channel.answer(message);
        break;
      case 'unread':
        this.channel.refused(message);
        break;
      case 'pong':
        break;
    }
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#silence);
    clearInterval(this.#heartbeat);
    const why =
      code === CLOSE_UNPARSED
        ? `versions differ (${reason}): run the same version of Apprentice on both sides`
        : this.#failure;
    const error =
      this.#refusal ??
      new ApprenticeError(
        'worker_unavailable',
        `The link to the gpu-worker ended: ${why}.`,
        'It is made again by itself.',
      );
    this.#lost = error;
    this.channel.close(error);
    for (const asking of [...this.#trains.values(), ...this.#puts.values()])
      for (const one of asking) one.reject(error);
    this.#options.onClosed(error);
  }
}

function sizeOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, part) => sum + part.length, 0) : data.byteLength;
}

function keyRefused(url: string): ApprenticeError {
  return new ApprenticeError(
    'unauthorized',
    `The gpu-worker at ${url} does not accept the key.`,
    'Pair again with the line that apprentice-worker prints.',
  );
}

function told({ code, message }: { code: ErrorCode; message: string }, remedy: string): ApprenticeError {
  return new ApprenticeError(code, message, remedy);
}

function parse(text: string): FromWorker | null {
  try {
    return FromWorker.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // Not JSON: the caller closes the link with the code that says so.
    return null;
  }
}
