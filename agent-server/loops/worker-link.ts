/**
 * The agent-server's end of the `ws` link: connects, reconnects with back-off, hears of the engine's and the trainer's
 * state, has batches trained, fetches what they made into `adapters/`, and gives the worker versions that it lost. All
 * of it outlives connections: after a cut it is asked again, which is harmless because the worker makes one version of
 * one batch, and files go on from where they were. One connection is link-connection.ts, starting a worker
 * worker-process.ts.
 */
import type { EngineEndpoint } from '../engine/http-client.ts';
import { until } from '../engine/until.ts';
import { BackOff } from '../protocol/back-off.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, type BatchId, type WeightVersion } from '../protocol/ids.ts';
import type { ProcessState } from '../protocol/link.ts';
import type { TrainMetrics } from '../protocol/training.ts';
import { LinkConnection, type OnTraffic, type StatusMessage, type Welcome } from './link-connection.ts';
import { type Progress, progressOf } from './training-progress.ts';
import { describeBatch, describeVersion, fetchVersion } from './version-files.ts';

export interface Trained {
  version: WeightVersion;
  /** Where it lies on this machine. */
  folder: string;
  adapterSha256: string;
  metrics: TrainMetrics;
}
export type WorkerStatus =
  /** `error`: why not, where it is known. */
  | { connected: false; error: ApprenticeError | null }
  | {
      connected: true;
      baseModel: string;
      engine: ProcessState;
      trainer: ProcessState;
      engineEpoch: string;
    };

/** The part of the link that the train loop uses. */
export interface Trainer {
  /**
   * Resolves once the version is published here; sent again later, the same batch gives the same answer. Throws the
   * worker's error, `aborted`, or `invalid_request` for a batch that is waited for already.
   */
  train(batchId: BatchId, folder: string, signal: AbortSignal): Promise<Trained>;
}

export interface WorkerLinkOptions {
  /** Throws while there is no worker. */
  endpoint: () => EngineEndpoint;
  /** Names this agent-server's store to the worker, which holds the weights of one. A UUID. */
  owner: string;
  /** Where versions come to lie. */
  adapters: string;
  /** Versions that the worker may still have, newest last; the others it deletes. */
  known: () => readonly WeightVersion[];
  /** Which of them the worker keeps whatever comes. */
  serving: () => WeightVersion;
  log: (line: string) => void;
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 5_000;
/**
 * What the worker keeps of the versions there are: the newest, those it was given last, and the one that serves. The rest
 * it gets again, but for all weights, which are nowhere else.
 */
const KEPT_BY_WORKER = 4;
/** Another try of what was refused: somebody has to do something first. */
const REFUSED_PAUSE_MS = 15_000;

export class WorkerLink implements Trainer {
  readonly #options: WorkerLinkOptions;
  readonly #backOff = new BackOff();
  readonly #training = new Set<BatchId>();
  readonly #closing = new AbortController();
  readonly #statusListeners = new Set<(status: WorkerStatus) => void>();
  readonly #progressListeners = new Set<(progress: Progress) => void>();
  readonly #trafficListeners = new Set<OnTraffic>();
  /** Given to the worker on request, latest last. */
  #supplied: WeightVersion[] = [];
  #status: WorkerStatus = { connected: false, error: null };
  #connection: LinkConnection | null = null;
  #welcome = Promise.withResolvers<LinkConnection>();
  #timer: NodeJS.Timeout | null = null;
  #logged = '';

  constructor(options: WorkerLinkOptions) {
    this.#options = options;
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

  /** Called with the size of every message. Returns the disposer. */
  onTraffic(listener: OnTraffic): () => void {
    this.#trafficListeners.add(listener);
    return () => this.#trafficListeners.delete(listener);
  }

  /** Connects as soon as there is a worker; to be called once, and again when the worker's endpoint is new. */
  connect(): void {
    if (this.#closing.signal.aborted || this.#connection) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    let endpoint: EngineEndpoint;
    try {
      endpoint = this.#options.endpoint();
    } catch (thrown) {
      // No worker yet: its next endpoint calls connect; this is the safety net.
      this.#change({ connected: false, error: toApprenticeError(thrown) });
      this.#retry(this.#backOff.delayMs(0));
      return;
    }
    this.#open(endpoint);
  }

  /** Ends the link; what is still being trained rejects with `aborted`, and goes on in the worker. */
  close(): void {
    this.#closing.abort(new ApprenticeError('aborted', 'The link to the gpu-worker was closed.', ''));
    if (this.#timer) clearTimeout(this.#timer);
    this.#connection?.close();
  }

  async train(batchId: BatchId, folder: string, signal: AbortSignal): Promise<Trained> {
    if (this.#training.has(batchId))
      throw new ApprenticeError(
        'invalid_request',
        `Batch ${batchId} is being trained already.`,
        'Wait for it.',
      );
    this.#training.add(batchId);
    try {
      return await this.#overConnections(
        signal,
        `Training of batch ${batchId} was cancelled.`,
        (connection) => this.#trainOver(connection, batchId, folder, signal),
      );
    } finally {
      this.#training.delete(batchId);
      if (signal.aborted && this.#status.connected) this.#connection?.send({ type: 'cancel', batchId });
    }
  }

  /**
   * Sees to it that the worker has a version before it is asked to load it. Throws what the worker says of a version
   * that is damaged or another base's, `aborted`.
   */
  async supply(version: WeightVersion, signal: AbortSignal): Promise<void> {
    this.#supplied = [...this.#supplied.filter((one) => one !== version), version].slice(-KEPT_BY_WORKER);
    await this.#overConnections(signal, `Sending ${version} was cancelled.`, (connection) =>
      this.#putOver(connection, version),
    );
  }

  /** Tells the worker which versions to keep; to be called whenever others are known. */
  tellKnown(): void {
    if (!this.#status.connected) return;
    const known = this.#options.known();
    const recent = new Set([...known.slice(-KEPT_BY_WORKER), ...this.#supplied, this.#options.serving()]);
    this.#connection?.send({ type: 'keep', versions: known.filter((version) => recent.has(version)) });
  }

  /** Does it over a connection, and over the next one where that is cut in the middle. */
  async #overConnections<T>(
    signal: AbortSignal,
    cancelled: string,
    action: (connection: LinkConnection) => Promise<T>,
  ): Promise<T> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const aborted = () =>
      this.#closing.signal.aborted
        ? toApprenticeError(this.#closing.signal.reason)
        : new ApprenticeError('aborted', cancelled, '');
    for (;;) {
      const connection = await until(this.#welcome.promise, either, aborted);
      try {
        return await until(action(connection), either, aborted);
      } catch (thrown) {
        if (connection.lost === null || thrown !== connection.lost) throw thrown;
      }
    }
  }

  async #trainOver(
    connection: LinkConnection,
    batchId: BatchId,
    folder: string,
    signal: AbortSignal,
  ): Promise<Trained> {
    const { files, parent } = await describeBatch(folder);
    if (parent !== BASE_VERSION) await this.#putOver(connection, parent);
    const withdraw = connection.channel.offer({ kind: 'batch', batchId }, folder);
    try {
      const trained = await connection.train({ type: 'train', batchId, files });
      const made = await fetchVersion({
        adapters: this.#options.adapters,
        trained,
        read: (...piece) => connection.channel.read(...piece),
        signal: AbortSignal.any([signal, this.#closing.signal]),
        onProgress: (fraction) => this.#tell({ batchId, phase: 'fetching', fraction, ahead: 0 }),
      });
      const { version, adapterSha256, metrics } = trained;
      return { version, folder: made, adapterSha256, metrics };
    } finally {
      withdraw();
    }
  }

  async #putOver(connection: LinkConnection, version: WeightVersion): Promise<void> {
    const { folder, files, adapterSha256 } = await describeVersion(this.#options.adapters, version);
    const withdraw = connection.channel.offer({ kind: 'version', version }, folder);
    try {
      await connection.put({ type: 'put', version, adapterSha256, files });
    } finally {
      withdraw();
    }
  }

  #open(endpoint: EngineEndpoint): void {
    const openedAtMs = performance.now();
    const connection = new LinkConnection(endpoint, {
      owner: this.#options.owner,
      heartbeatMs: this.#options.heartbeatMs ?? HEARTBEAT_MS,
      onWelcome: (welcome) => this.#welcomed(connection, welcome),
      onStatus: (status) => {
        if (this.#status.connected) this.#change({ ...this.#status, ...stateOf(status) });
      },
      onProgress: (progress) => this.#tell(progressOf(progress)),
      onTraffic: (direction, bytes) => {
        for (const listener of this.#trafficListeners) listener(direction, bytes);
      },
      onClosed: (error) => {
        this.#connection = null;
        if (this.#status.connected) this.#welcome = Promise.withResolvers();
        this.#complain(error);
        this.#change({ connected: false, error });
        const lastedMs = performance.now() - openedAtMs;
        const refused = error.code !== 'worker_unavailable';
        this.#retry(refused ? REFUSED_PAUSE_MS : this.#backOff.delayMs(lastedMs));
      },
    });
    this.#connection = connection;
  }

  #welcomed(connection: LinkConnection, welcome: Welcome): void {
    this.#logged = '';
    this.#change({ connected: true, baseModel: welcome.baseModel, ...stateOf(welcome) });
    this.tellKnown();
    this.#welcome.resolve(connection);
  }

  #retry(delayMs: number): void {
    if (this.#closing.signal.aborted || this.#timer) return;
    this.#timer = setTimeout(() => this.connect(), delayMs);
  }

  /** A worker that is away for a night is one line in the log. */
  #complain(error: ApprenticeError): void {
    if (this.#closing.signal.aborted || error.message === this.#logged) return;
    this.#logged = error.message;
    this.#options.log(error.message);
  }

  #tell(progress: Progress): void {
    for (const listener of this.#progressListeners) listener(progress);
  }

  #change(status: WorkerStatus): void {
    const same =
      !status.connected && !this.#status.connected && status.error?.message === this.#status.error?.message;
    this.#status = status;
    if (same) return;
    for (const listener of this.#statusListeners) listener(status);
  }
}

function stateOf({ engine, trainer, engineEpoch }: StatusMessage | Welcome) {
  return { engine, trainer, engineEpoch };
}
