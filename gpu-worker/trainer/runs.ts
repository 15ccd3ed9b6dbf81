/**
 * The Trainer: validates batches, runs them in turn on a backend, tries again when the backend dies, publishes.
 * Knows that a batch has one version and a version one batch; what a step computes is the backend's.
 */
import { ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type BatchId } from '../../agent-server/protocol/ids.ts';
import { BATCH_FORMAT, type BatchManifest } from '../../agent-server/protocol/training.ts';
import type { Weights } from '../weights/weights.ts';
import { readBatchFolder } from './batch-folder.ts';
import type { OnProgress, TrainBackend, Trained, Trainer } from './trainer.ts';

/** The agent-server sends the next batch when it has the last version, so more than a few waiting is a fault. */
const MAX_RUNS = 8;
/** A batch that has killed the process this often will do so again. */
const MAX_ATTEMPTS = 3;

interface Run {
  result: Promise<Trained>;
  controller: AbortController;
  listeners: Set<OnProgress>;
}

export class TrainingRuns implements Trainer {
  readonly #weights: Weights;
  readonly #backend: TrainBackend;
  readonly #log: (line: string) => void;
  readonly #runs = new Map<BatchId, Run>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(weights: Weights, backend: TrainBackend, log: (line: string) => void) {
    this.#weights = weights;
    this.#backend = backend;
    this.#log = log;
  }

  async train(batchId: BatchId, folder: string, onProgress: OnProgress): Promise<Trained> {
    const joined = this.#runs.get(batchId);
    if (joined) {
      joined.listeners.add(onProgress);
      return joined.result;
    }
    if (this.#runs.size >= MAX_RUNS) {
      throw new ApprenticeError(
        'queue_full',
        `Batch ${batchId} is one too many: ${MAX_RUNS} are waiting to be trained.`,
        'Send it again when one of them is done.',
      );
    }
    const controller = new AbortController();
    const listeners = new Set([onProgress]);
    const tell: OnProgress = (phase, fraction) => {
      for (const listener of listeners) listener(phase, fraction);
    };
    const result = this.#last.then(() => this.#one(batchId, folder, tell, controller.signal));
    // The chain only orders runs; each run's own promise carries its error to who asked for it.
    this.#last = result.catch(() => undefined).finally(() => this.#runs.delete(batchId));
    this.#runs.set(batchId, { result, controller, listeners });
    return result;
  }

  async knows(batchId: BatchId): Promise<boolean> {
    return this.#runs.has(batchId) || (await this.#weights.ofBatch(batchId)) !== null;
  }

  /** Ends all that is under way; resolves when nothing is. */
  async cancelAll(): Promise<void> {
    for (const batchId of this.#runs.keys()) this.cancel(batchId);
    await this.#last;
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
