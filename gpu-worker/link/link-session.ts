/**
 * One agent-server's connection: takes its batches and versions in, has them trained and kept, lets it read what was
 * made. A run outlives the connection that asked for it; who comes back asks again and joins it. Letting it in, and
 * telling it how the worker is, is link-server.ts.
 */
import type { RawData, WebSocket } from 'ws';
import { ChunkChannel } from '../../agent-server/parcels/chunk-channel.ts';
import { describeFiles } from '../../agent-server/parcels/pull.ts';
import { ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { CLOSE_UNPARSED, type FromWorker, ToWorker } from '../../agent-server/protocol/link.ts';
import type { TrainingRuns } from '../trainer/runs.ts';
import type { Trained } from '../trainer/trainer.ts';
import { remove } from '../weights/durable.ts';
import type { Weights } from '../weights/weights.ts';
import type { Deliveries } from './deliveries.ts';

/** Bytes that may wait for a client that does not read, before it is cut off; it will ask again. */
const MAX_BUFFERED_BYTES = 8 * 1_048_576;

type Of<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

export interface LinkSessionOptions {
  trainer: TrainingRuns;
  weights: Weights;
  deliveries: Deliveries;
  /** Answers a hello, some time. */
  greet(session: LinkSession, hello: Of<'hello'>): void;
  log: (line: string) => void;
}

export class LinkSession {
  /** Null until it is welcome. */
  owner: string | null = null;
  readonly #socket: WebSocket;
  readonly #options: LinkSessionOptions;
  readonly #gone = new AbortController();
  readonly #channel: ChunkChannel;

  constructor(socket: WebSocket, options: LinkSessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#channel = new ChunkChannel({
      text: (message) => this.send(message),
      chunk: (frame) => this.#write(frame),
    });
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('close', () => {
      const lost = new ApprenticeError('worker_unavailable', 'The connection was cut.', '');
      this.owner = null;
      this.#gone.abort(lost);
      this.#channel.close(lost);
    });
  }

  send(message: FromWorker): void {
    this.#write(JSON.stringify(message));
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  #write(data: string | Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) this.#socket.terminate();
    else this.#socket.send(data);
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (isBinary) {
      if (!(data instanceof Buffer) || !this.#channel.received(data))
        this.close(CLOSE_UNPARSED, 'unknown chunk');
      return;
    }
    const message = parse(data);
    if (message === null) this.close(CLOSE_UNPARSED, 'unknown message');
    else if (message.type === 'hello') this.#options.greet(this, message);
    else if (message.type === 'ping') this.send({ type: 'pong', at: message.at });
    else if (this.owner === null) this.close(CLOSE_UNPARSED, 'hello comes first');
    else
      void this.#do(message).catch((thrown) =>
        this.#options.log(`Link: ${toApprenticeError(thrown).message}`),
      );
  }

  async #do(message: Exclude<ToWorker, Of<'hello' | 'ping'>>): Promise<void> {
    switch (message.type) {
      case 'train':
        return this.#train(message);
      case 'cancel':
        this.#options.trainer.cancel(message.batchId);
        return this.#options.deliveries.forget(message.batchId);
      case 'put':
        return this.#put(message);
      case 'keep': {
        const kept = new Set(message.versions);
        return this.#options.weights.drop((version) => kept.has(version));
      }
      case 'read':
        return this.#channel.answer(message);
      case 'unread':
        return this.#channel.refused(message);
    }
  }

  async #train({ batchId, files }: Of<'train'>): Promise<void> {
    const { trainer, deliveries } = this.#options;
    try {
      // Nothing needs to come for a batch that is in training or done.
      const folder = (await trainer.knows(batchId))
        ? ''
        : await deliveries.batch(batchId, files, this.#read, this.#gone.signal);
      try {
        const made = await trainer.train(
          batchId,
          folder,
          (phase, fraction) => this.send({ type: 'progress', batchId, phase, fraction }),
          (ahead) => this.send({ type: 'queued', batchId, ahead }),
        );
        await this.#trained(batchId, made);
      } finally {
        if (folder !== '') await remove(folder);
      }
    } catch (thrown) {
      const { code, message } = toApprenticeError(thrown);
      this.send({ type: 'failed', batchId, code, message });
    }
  }

  async #trained(batchId: Of<'train'>['batchId'], { folder, lineage }: Trained): Promise<void> {
    const { version, adapterSha256, metrics } = lineage;
    const files = await describeFiles(folder, this.#options.weights.travels);
    this.#channel.offer({ kind: 'version', version }, folder);
    this.send({ type: 'trained', batchId, version, files, adapterSha256, metrics });
  }

  async #put({ version, adapterSha256, files }: Of<'put'>): Promise<void> {
    const { weights, deliveries } = this.#options;
    try {
      if (!(await weights.holds(version, adapterSha256)))
        await deliveries.version(version, files, this.#read, this.#gone.signal);
      this.send({ type: 'held', version });
    } catch (thrown) {
      const { code, message } = toApprenticeError(thrown);
      this.send({ type: 'unheld', version, code, message });
    }
  }

  readonly #read: ChunkChannel['read'] = (parcel, file, offset, length) =>
    this.#channel.read(parcel, file, offset, length);
}

function parse(data: RawData): ToWorker | null {
  try {
    return ToWorker.safeParse(JSON.parse(String(data))).data ?? null;
  } catch {
    // Not JSON: the caller closes the link with the code that says so.
    return null;
  }
}
