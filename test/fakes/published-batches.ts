/**
 * The worker as the train loop sees it: one version of one batch, whatever is asked how often. It reads the batch
 * folder as the real trainer does, so that a folder that is not complete fails here too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../agent-server/loops/batch-folder.ts';
import type { Trained, Trainer } from '../../agent-server/loops/worker-link.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { BatchId } from '../../agent-server/protocol/ids.ts';
import { BatchManifest, type TrainMetrics } from '../../agent-server/protocol/training.ts';

export class PublishedBatches implements Trainer {
  /** Manifests of the batches trained, each once, in order. */
  readonly trained: BatchManifest[] = [];
  metrics: TrainMetrics = {
    loss: 0.5,
    gradNorm: 2,
    logprobFall: 0.01,
    klToBase: 0.02,
    steps: [],
    trainedTokens: 8,
    tokens: 20,
    seconds: 1,
  };
  /** Thrown by the next calls, in order. */
  readonly failures: ApprenticeError[] = [];
  readonly #published = new Map<BatchId, Trained>();

  async train(batchId: BatchId, folder: string, signal: AbortSignal): Promise<Trained> {
    if (signal.aborted)
      throw new ApprenticeError('aborted', `Training of batch ${batchId} was cancelled.`, '');
    const failure = this.failures.shift();
    if (failure) throw failure;
    const published = this.#published.get(batchId);
    if (published) return published;
    const manifest = BatchManifest.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));
    if (sha256(readFileSync(join(folder, 'batch.safetensors'))) !== manifest.tensorsSha256)
      throw new ApprenticeError('batch_tampered', 'The tensors are not those of the manifest.', '');
    this.trained.push(manifest);
    const made: Trained = {
      version: manifest.version,
      folder: `/adapters/${manifest.version}`,
      adapterSha256: 'a'.repeat(64),
      metrics: this.metrics,
    };
    this.#published.set(batchId, made);
    return made;
  }
}
