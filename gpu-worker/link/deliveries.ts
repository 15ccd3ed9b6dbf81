/**
 * What agent-servers send to this worker: batches to be trained, versions that it has lost. Each is pulled into
 * `incoming/` (agent-server/parcels/pull.ts) and gets a folder of its own when it is whole. A parcel is pulled over one
 * connection at a time: who asks again, after a cut, takes over.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pull, type ReadChunk, removeHalves, sweepHalves } from '../../agent-server/parcels/pull.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { BatchId, WeightVersion } from '../../agent-server/protocol/ids.ts';
import { type ParcelFile, type ParcelName, parcelKey } from '../../agent-server/protocol/parcel.ts';
import { remove } from '../weights/durable.ts';
import type { Weights } from '../weights/weights.ts';

/** One agent-server sends a batch and the version before it. */
const MAX_DELIVERIES = 4;
/** Who was cut off comes back within seconds; after this it is gone for good. */
const HALF_LIFE_MS = 6 * 60 * 60_000;
const SWEEP_MS = 60 * 60_000;

interface UnderWay {
  controller: AbortController;
  ended: Promise<unknown>;
}

export class Deliveries {
  readonly #incoming: string;
  readonly #batches: string;
  readonly #weights: Weights;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #sweeping: NodeJS.Timeout;
  #closed = false;

  constructor(home: string, weights: Weights) {
    this.#incoming = resolve(home, 'incoming');
    this.#batches = resolve(home, 'received');
    this.#weights = weights;
    this.#sweeping = setInterval(() => void this.#sweep().catch(() => undefined), SWEEP_MS).unref();
  }

  /** Makes the folders. Batches of an earlier run are sent again; halves are gone on with for some hours. */
  async open(): Promise<void> {
    await remove(this.#batches);
    for (const folder of [this.#incoming, this.#batches])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#sweep();
  }

  /**
   * A batch's folder, to be removed by the caller. Throws `queue_full`, `aborted` when another connection takes over,
   * and what pulling throws.
   */
  async batch(
    batchId: BatchId,
    files: readonly ParcelFile[],
    read: ReadChunk,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#taken({ kind: 'batch', batchId }, files, read, signal, async (whole) => {
      const folder = join(this.#batches, randomUUID());
      await rename(whole, folder);
      return folder;
    });
  }

  /** A version that has its name when this resolves. Throws as above, and what `Weights.adopt` throws. */
  async version(
    version: WeightVersion,
    files: readonly ParcelFile[],
    read: ReadChunk,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#taken({ kind: 'version', version }, files, read, signal, async (whole) => {
      try {
        await this.#weights.adopt(whole, version);
      } catch (error) {
        await remove(whole);
        throw error;
      }
    });
  }

  /** Nobody wants this batch any more: what has come of it is removed. */
  async forget(batchId: BatchId): Promise<void> {
    const parcel: ParcelName = { kind: 'batch', batchId };
    await this.#supersede(parcelKey(parcel));
    await removeHalves(this.#incoming, parcel);
  }

  /** Ends what is under way and removes all that has come. */
  async clear(): Promise<void> {
    await this.#endAll();
    await remove(this.#incoming);
    await this.open();
  }

  /** Nothing is taken any more from the call on; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeping);
    await this.#endAll();
  }

  async #taken<T>(
    parcel: ParcelName,
    files: readonly ParcelFile[],
    read: ReadChunk,
    signal: AbortSignal,
    finish: (folder: string) => Promise<T>,
  ): Promise<T> {
    const key = parcelKey(parcel);
    // No await between the last look and the entry below: two that come at once must not both find none.
    while (this.#underWay.has(key)) await this.#supersede(key);
    if (this.#closed) throw superseded();
    if (this.#underWay.size >= MAX_DELIVERIES)
      throw new ApprenticeError(
        'queue_full',
        `${key} is one too many: ${MAX_DELIVERIES} are being received.`,
        'Send it again when one of them is done.',
      );
    const controller = new AbortController();
    const all = AbortSignal.any([signal, controller.signal]);
    const done = pull({ root: this.#incoming, parcel, files, read, signal: all }).then(finish);
    const underWay: UnderWay = { controller, ended: done.catch(() => undefined) };
    this.#underWay.set(key, underWay);
    try {
      return await done;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #endAll(): Promise<void> {
    for (const { controller } of this.#underWay.values()) controller.abort(superseded());
    await Promise.allSettled([...this.#underWay.values()].map(({ ended }) => ended));
  }

  async #supersede(key: string): Promise<void> {
    for (let before = this.#underWay.get(key); before; before = this.#underWay.get(key)) {
      before.controller.abort(superseded());
      await before.ended;
    }
  }

  async #sweep(): Promise<void> {
    await sweepHalves(this.#incoming, Date.now(), HALF_LIFE_MS);
  }
}

function superseded(): ApprenticeError {
  return new ApprenticeError('aborted', 'It was given up, or is received over another connection.', '');
}
