/**
 * The agent-server's end of the `ws` link: connects, reconnects with back-off, hears of the engine's and the
 * trainer's state, and has batches trained. A `train` outlives connections: it is sent again after each welcome,
 * which is harmless because the worker makes one version of one batch. Starting the worker is worker-process.ts.
 */
import WebSocket from 'ws';
import type { EngineEndpoint } from '../engine/http-client.ts';
import { BackOff } from '../protocol/back-off.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { BatchId } from '../protocol/ids.ts';
import { FromWorker, LINK_PROTOCOL, type ProcessState, type ToWorker } from '../protocol/link.ts';

export type Trained = Extract<FromWorker, { type: 'trained' }>;
export type Progress = Extract<FromWorker, { type: 'progress' }>;

export type WorkerStatus =
  | { connected: false }
  | { connected: true; engine: ProcessState; trainer: ProcessState; engineEpoch: string };

/** The part of the link that the train loop uses. */
export interface Trainer {
  /**
   * Resolves once the version's folder is published; sent again later, the same batch gives the same answer. Throws
   * the worker's error, `aborted`, or `invalid_request` for a batch that is waited for already.
   */
  train(batchId: BatchId, folder: string, signal: AbortSignal): Promise<Trained>;
}

export interface WorkerLinkOptions {
  /** Throws while there is no worker. */
  endpoint: () => EngineEndpoint;
  log: (line: string) => void;
  heartbeatMs?: number;
}

interface Pending {
  folder: string;
  resolve(trained: Trained): void;
  reject(error: ApprenticeError): void;
}

const HEARTBEAT_MS = 5_000;
const HANDSHAKE_LIMIT_MS = 10_000;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Code by which either side says that it could not parse the other (protocol/link.ts). */
const CLOSE_UNPARSED = 4400;

export class WorkerLink implements Trainer {
  readonly #options: WorkerLinkOptions;
  readonly #heartbeatMs: number;
  readonly #backOff = new BackOff();
  readonly #pending = new Map<BatchId, Pending>();
  readonly #statusListeners = new Set<(status: WorkerStatus) => void>();
  readonly #progressListeners = new Set<(progress: Progress) => void>();
  #status: WorkerStatus = { connected: false };
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: WorkerLinkOptions) {
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
  }

  get status(): WorkerStatus {
    return this.#status;
  }

  /** Called at every change. Returns the disposer. */
  onStatus(listener: (status: WorkerStatus) => void): () => void {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  }

  onProgress(listener: (progress: Progress) => void): () => void {
    this.#progressListeners.add(listener);
    return () => this.#progressListeners.delete(listener);
  }

  /** Connects as soon as there is a worker; to be called once, and again when the worker's endpoint is new. */
  connect(): void {
    if (this.#closed || this.#socket) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    let endpoint: EngineEndpoint;
    try {
      endpoint = this.#options.endpoint();
    } catch {
      // No worker yet: worker-process.ts logs why, and its next endpoint calls connect; this is the safety net.
      this.#retry(0);
      return;
    }
    this.#open(endpoint);
  }

  /** Ends the link; what is still being trained rejects with `aborted`, and goes on in the worker. */
  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#socket?.terminate();
    for (const pending of this.#pending.values())
      pending.reject(new ApprenticeError('aborted', 'The link to the gpu-worker was closed.', ''));
    this.#pending.clear();
  }

  async train(batchId: BatchId, folder: string, signal: AbortSignal): Promise<Trained> {
    if (this.#pending.has(batchId))
      throw new ApprenticeError(
        'invalid_request',
        `Batch ${batchId} is being trained already.`,
        'Wait for it.',
      );
    const { promise, resolve, reject } = Promise.withResolvers<Trained>();
    const abort = () => {
      this.#send({ type: 'cancel', batchId });
      reject(new ApprenticeError('aborted', `Training of batch ${batchId} was cancelled.`, ''));
    };
    if (signal.aborted) abort();
    else {
      signal.addEventListener('abort', abort, { once: true });
      this.#pending.set(batchId, { folder, resolve, reject });
      this.#send({ type: 'train', batchId, folder });
    }
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#pending.delete(batchId);
    }
  }

  #open({ url, key }: EngineEndpoint): void {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/link`, {
      headers: { authorization: `Bearer ${key}` },
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#socket = socket;
    const openedAtMs = performance.now();
    // No welcome, or two heartbeats unanswered: the peer hangs.
    const silence = setTimeout(() => socket.terminate(), HANDSHAKE_LIMIT_MS);
    const heartbeat = setInterval(() => this.#send({ type: 'ping', at: Date.now() }), this.#heartbeatMs);
    socket.on('open', () => send(socket, { type: 'hello', protocol: LINK_PROTOCOL }));
    socket.on('message', (data) => {
      silence.refresh();
      const message = parse(String(data));
      if (message) this.#receive(socket, message);
      else socket.close(CLOSE_UNPARSED, 'unknown message');
    });
    socket.on('error', (error) => this.#options.log(`Link to the gpu-worker: ${error.message}`));
    socket.on('close', (code, reason) => {
      clearTimeout(silence);
      clearInterval(heartbeat);
      this.#socket = null;
      if (code === CLOSE_UNPARSED)
        this.#options.log(`Link to the gpu-worker: versions differ (${String(reason)}).`);
      this.#change({ connected: false });
      this.#retry(performance.now() - openedAtMs);
    });
  }

  #receive(socket: WebSocket, message: FromWorker): void {
    switch (message.type) {
      case 'welcome':
        for (const [batchId, { folder }] of this.#pending) send(socket, { type: 'train', batchId, folder });
        this.#change({ connected: true, ...stateOf(message) });
        break;
      case 'status':
        this.#change({ connected: true, ...stateOf(message) });
        break;
      case 'progress':
        for (const listener of this.#progressListeners) listener(message);
        break;
      case 'trained':
        this.#pending.get(message.batchId)?.resolve(message);
        break;
      case 'failed':
        this.#pending
          .get(message.batchId)
          ?.reject(new ApprenticeError(message.code, message.message, 'See logs/trainer.log.'));
        break;
      case 'pong':
        break;
    }
  }

  #send(message: ToWorker): void {
    // Before the welcome nothing is sent: it sends every pending batch.
    if (this.#socket && this.#status.connected) send(this.#socket, message);
  }

  #retry(lastedMs: number): void {
    if (this.#closed || this.#timer) return;
    this.#timer = setTimeout(() => this.connect(), this.#backOff.delayMs(lastedMs));
  }

  #change(status: WorkerStatus): void {
    if (!status.connected && !this.#status.connected) return;
    this.#status = status;
    for (const listener of this.#statusListeners) listener(status);
  }
}

function stateOf(message: Extract<FromWorker, { engineEpoch: string }>) {
  return { engine: message.engine, trainer: message.trainer, engineEpoch: message.engineEpoch };
}

function send(socket: WebSocket, message: ToWorker): void {
  socket.send(JSON.stringify(message));
}

function parse(text: string): FromWorker | null {
  try {
    const parsed = FromWorker.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    // Not JSON: the caller closes the link with the code that says so.
    return null;
  }
}
