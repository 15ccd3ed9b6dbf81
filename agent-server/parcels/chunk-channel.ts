/**
 * Reads of parcels over one connection: asks for chunks and matches what comes back, answers the other side's reads out
 * of the folders that were offered to it. Which chunks are wanted is pull.ts.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import {
  chunkFrame,
  type FileName,
  type ParcelName,
  parcelKey,
  parseChunk,
  type ReadRefusal,
  type ReadRequest,
} from '../protocol/parcel.ts';

/** A connection that is alive and does not answer a read for so long has lost it. */
const READ_LIMIT_MS = 120_000;

interface Waiting {
  length: number;
  timer: NodeJS.Timeout;
  resolve(bytes: Uint8Array): void;
  reject(error: ApprenticeError): void;
}

export interface ChannelSocket {
  text(message: ReadRequest | ReadRefusal): void;
  chunk(frame: Uint8Array): void;
}

export class ChunkChannel {
  readonly #socket: ChannelSocket;
  readonly #waiting = new Map<number, Waiting>();
  /** Folders that the other side may read from, by parcel. */
  readonly #offered = new Map<string, string>();
  #lastId = 0;
  #lost: ApprenticeError | null = null;

  constructor(socket: ChannelSocket) {
    this.#socket = socket;
  }

  /** Lets the other side read a folder's files. Returns the way to stop that. */
  offer(parcel: ParcelName, folder: string): () => void {
    const key = parcelKey(parcel);
    this.#offered.set(key, folder);
    return () => {
      if (this.#offered.get(key) === folder) this.#offered.delete(key);
    };
  }

  /** Throws what the other side refuses it with, `transfer_failed` for an answer of another length or none at all. */
  read(parcel: ParcelName, file: FileName, offset: number, length: number): Promise<Uint8Array> {
    if (this.#lost) return Promise.reject(this.#lost);
    this.#lastId = (this.#lastId + 1) % 0x1_0000_0000;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const timer = setTimeout(
      () => this.#take(id)?.reject(failed(`No answer to a read within ${READ_LIMIT_MS} ms`)),
      READ_LIMIT_MS,
    );
    timer.unref();
    this.#waiting.set(id, { length, timer, resolve, reject });
    this.#socket.text({ type: 'read', id, parcel, file, offset, length });
    return promise;
  }

  /** A binary frame has come. False when it is none that was asked for. */
  received(frame: Uint8Array): boolean {
    const chunk = parseChunk(frame);
    const waiting = chunk && this.#take(chunk.id);
    if (!waiting) return false;
    if (chunk.bytes.length === waiting.length) waiting.resolve(chunk.bytes);
    else
      waiting.reject(failed(`A chunk has ${chunk.bytes.length} bytes, and ${waiting.length} were asked for`));
    return true;
  }

  refused({ id, code, message }: ReadRefusal): void {
    this.#take(id)?.reject(new ApprenticeError(code, message, ''));
  }

  /** Answers a read of the other side. */
  async answer({ id, parcel, file, offset, length }: ReadRequest): Promise<void> {
    try {
      const folder = this.#offered.get(parcelKey(parcel));
      if (folder === undefined)
        throw new ApprenticeError('not_found', `There is no ${parcelKey(parcel)} to be read.`, '');
      const bytes = await readPiece(join(folder, file), offset, length);
      if (!this.#lost) this.#socket.chunk(chunkFrame(id, bytes));
    } catch (thrown) {
      const { code, message } = toApprenticeError(thrown, 'transfer_failed');
      if (!this.#lost) this.#socket.text({ type: 'unread', id, code, message });
    }
  }

  /** The connection is gone: every read fails with `error`. */
  close(error: ApprenticeError): void {
    this.#lost = error;
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(error);
    this.#offered.clear();
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting) clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    return waiting;
  }
}

async function readPiece(path: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const buffer = new Uint8Array(length);
    const { bytesRead } = await handle.read(buffer, 0, length, offset);
    if (bytesRead !== length) throw failed(`It ends ${length - bytesRead} bytes before what was asked for`);
    return buffer;
  } finally {
    await handle.close();
  }
}

function failed(what: string): ApprenticeError {
  return new ApprenticeError('transfer_failed', `${what}.`, 'It is tried again.');
}
