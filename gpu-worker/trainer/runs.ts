/**
 * The Trainer of one user: validates batches, runs them on a backend when it is the user's turn (training-queue.ts),
 * tries again when the backend dies, publishes. Knows that a batch has one version and a version one batch; what a step
 * computes is the backend's.
 */
import { ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type BatchId } from '../../agent-server/protocol/ids.ts';
import { BATCH_FORMAT, type BatchManifest } from '../../agent-server/protocol/training.ts';
import type { Weights } from '../weights/weights.ts';
import { readBatchFolder } from './batch-folder.ts';
import type { OnAhead, OnProgress, TrainBackend, Trained, Trainer } from './trainer.ts';
import { type TakeTurn, TrainingQueue } from './training-queue.ts';

/** The agent-server sends the next batch when it has the last version, so more than a few waiting is a fault. */
const MAX_RUNS = 8;
/** A batch that has killed the process this often will do so again. */
const MAX_ATTEMPTS = 3;

interface Run {
  result: Promise<Trained>;
  controller: AbortController;
  /** Resolves when nothing of it is under way any more. */
  ended: Promise<void>;
  listeners: Set<OnProgress>;
  aheadListeners: Set<OnAhead>;
  /** Runs that come before it, as told last. */
  ahead: number;
}

/** For whom nothing is to be told. */
const ignore: OnAhead = () => undefined;

export class TrainingRuns implements Trainer {
  readonly #weights: Weights;
  readonly #backend: TrainBackend;
  readonly #log: (line: string) => void;
  readonly #takeTurn: TakeTurn;
  readonly #runs = new Map<BatchId, Run>();
  #active = false;
  #closed = false;

  /** `takeTurn`: the queue, as this user enters it; one of its own where there is one user. */
  constructor(
    weights: Weights,
    backend: TrainBackend,
    log: (line: string) => void,
    takeTurn: TakeTurn = new TrainingQueue().of(''),
  ) {
    this.#weights = weights;
    this.#backend = backend;
    this.#log = log;
    this.#takeTurn = takeTurn;
  }

  /** Is a run of this user's what the backend computes now? */
  get active(): boolean {
    return this.#active;
  }

  async train(
    batchId: BatchId,
    folder: string,
    onProgress: OnProgress,
    onAhead: OnAhead = ignore,
  ): Promise<Trained> {
    const joined = this.#runs.get(batchId);
    if (joined) {
      joined.listeners.add(onProgress);
      joined.aheadListeners.add(onAhead);
      if (joined.ahead > 0) onAhead(joined.ahead);
      return joined.result;
    }
    if (this.#closed)
      throw new ApprenticeError('aborted', `Batch ${batchId} is not trained: its user was removed.`, '');
    if (this.#runs.size >= MAX_RUNS) {
      throw new ApprenticeError(
        'queue_full',
        `Batch ${batchId} is one too many: ${MAX_RUNS} of yours are waiting to be trained.`,
        'Send it again when one of them is done.',
      );
    }
    return this.#begin(batchId, folder, onProgress, onAhead).result;
  }

  #begin(batchId: BatchId, folder: string, onProgress: OnProgress, onAhead: OnAhead): Run {
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = new Set([onProgress]);
    const aheadListeners = new Set([onAhead]);
    const { promise: result, resolve } = Promise.withResolvers<Trained>();
    // Each run's own promise carries its error to who asked for it.
    const ended = result.then(
      () => undefined,
      () => undefined,
    );
    const run: Run = {
      result,
      controller,
      ended: ended.finally(() => this.#runs.delete(batchId)),
      listeners,
      aheadListeners,
      ahead: 0,
    };
    this.#runs.set(batchId, run);
    const job = async () => {
      this.#active = true;
      try {
        return await this.#one(
          batchId,
          folder,
          (phase, fraction) => {
            for (const listener of listeners) listener(phase, fraction);
          },
          signal,
        );
      } finally {
        this.#active = false;
      }
    };
    resolve(
      this.#takeTurn(job, signal, (ahead) => {
        run.ahead = ahead;
        for (const listener of aheadListeners) listener(ahead);
      }),
    );
    return run;
  }

  async knows(batchId: BatchId): Promise<boolean> {
    return this.#runs.has(batchId) || (await this.#weights.ofBatch(batchId)) !== null;
  }

  /** Ends all that is under way; resolves when nothing is. */
  async cancelAll(): Promise<void> {
    for (const batchId of this.#runs.keys()) this.cancel(batchId);
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  /** As `cancelAll`, and nothing more is taken. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.cancelAll();
  }

  cancel(batchId: BatchId): void {
    this.#runs
      .get(batchId)
      ?.controller.abort(new ApprenticeError('aborted', `Training of batch ${batchId} was cancelled.`, ''));
  }

  async #one(
    batchId: BatchId,
    folder: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<Trained> {
    const published = await this.#weights.ofBatch(batchId);
    if (published) {
      const made = this.#weights.folder(published);
      return { folder: made, lineage: await this.#weights.verify(made) };
    }
    const manifest = await readBatchFolder(folder);
    if (manifest.batchId !== batchId) throw conflict(batchId, `its folder holds batch ${manifest.batchId}`);
    if (manifest.version === BASE_VERSION) throw conflict(batchId, 'no batch can make the base model');
    if ((await this.#weights.versions()).includes(manifest.version)) {
      throw conflict(batchId, `${manifest.version} was made from another batch already`);
    }
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      try {
        return await this.#attempt(manifest, folder, onProgress, signal);
      } catch (thrown) {
        const error = toApprenticeError(thrown);
        this.#log(`Batch ${batchId}, attempt ${attempt}: ${error.code}: ${error.message}`);
        if (error.code !== 'trainer_unavailable' || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #attempt(
    manifest: BatchManifest,
    batchFolder: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<Trained> {
    const { parent, version, batchId, rows, hyperparameters } = manifest;
    const fresh = parent === BASE_VERSION;
    if (!fresh) await this.#weights.verify(this.#weights.folder(parent));
    const unfinished = await this.#weights.begin();
    try {
      const metrics = await this.#backend.run(
        {
          batchFolder,
          parentFolder: fresh ? null : this.#weights.folder(parent),
          optimizerFile: fresh ? null : await this.#weights.optimizerFile(parent),
          out: unfinished.adapterFolder,
          optimizerOut: unfinished.optimizerFile,
        },
        onProgress,
        signal,
      );
      const lineage = await this.#weights.publish(unfinished, {
        format: BATCH_FORMAT,
        version,
        parent,
        batchId,
        sampleIds: rows.flatMap((row) => row.sampleId ?? []),
        hyperparameters,
        createdAt: new Date().toISOString(),
        metrics,
      });
      return { folder: this.#weights.folder(version), lineage };
    } finally {
      await this.#weights.discard(unfinished);
    }
  }
}

function conflict(batchId: BatchId, why: string): ApprenticeError {
  return new ApprenticeError(
    'batch_invalid',
    `Batch ${batchId} is not trained: ${why}.`,
    'Give every batch an id and a version of its own.',
  );
}
