/**
 * The train loop: ready samples become a batch, the batch a version, the version the one that serves. Every step
 * is read from the store, so that a crash between any two goes on where it was; the worker makes one version of
 * one batch, so that a step done twice is done once.
 *
 * Leaves rows to batch-builder.ts, files to batch-folder.ts, training to the worker, the decision to promotion/.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { LearningConfig } from '../learning/config.ts';
import { pickReplay } from '../learning/replay.ts';
import { needsOf } from '../learning/sample-rows.ts';
import type { Log } from '../log.ts';
import { judgeMetrics, probe } from '../promotion/promote.ts';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import { BatchId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Batch, Sample, Version } from '../store/types.ts';
import { makeAnchor, missingAnchor } from './anchor-maker.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { BatchFolders } from './batch-folder.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';
import type { Trainer, WorkerLink } from './worker-link.ts';

export interface TrainLoopParts {
  store: Store;
  engine: Engine;
  serving: Serving;
  prompts: PromptSource;
  folders: BatchFolders;
  trainer: Trainer;
  /** Which of the worker's processes are alive? What needs one that is not is not begun. */
  ready: () => { engine: boolean; trainer: boolean };
  config: LearningConfig;
  log: Log;
}

export type TrainItem =
  | { kind: 'decide'; version: Version }
  | { kind: 'batch'; batch: Batch }
  | { kind: 'anchor'; prompt: string }
  | { kind: 'samples'; samples: Sample[] };

/** Earlier samples that replay chooses from. */
const REPLAY_POOL = 512;
/** A step takes seconds; one that takes this long hangs. */
const TRAIN_LIMIT_MS = 30 * 60_000;
/** Submissions of one batch, crashes of either side included, before it is given up. */
export const MAX_SUBMISSIONS = 20;
/** Reported failures of one step before its batch or version is given up. */
export const MAX_ATTEMPTS = 3;
const OUTAGE_PAUSE_MS = 1_000;
/** Not the batch's fault: tried again as often as it takes, within MAX_SUBMISSIONS. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'engine_unavailable',
  'worker_unavailable',
  'trainer_unavailable',
  'adapter_not_loaded',
  'queue_full',
]);
/** The same again would fail the same way. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'batch_invalid',
  'base_model_mismatch',
  'step_rejected',
]);

/** Starts the loop. Sweeps folders that a crash left behind first. */
export async function startTrainLoop(
  parts: Omit<TrainLoopParts, 'ready' | 'trainer'> & { link: WorkerLink },
  options: Omit<LoopOptions, 'onChange' | 'log'>,
): Promise<Loop> {
  const { store, link } = parts;
  await parts.folders.sweep(store.openBatch()?.batchId);
  const ready = () => {
    const { status } = link;
    if (!status.connected) return { engine: false, trainer: false };
    return { engine: isUp(status.engine.state), trainer: isUp(status.trainer.state) };
  };
  return startLoop(trainWork({ ...parts, trainer: link, ready }), {
    maxAttempts: MAX_ATTEMPTS,
    ...options,
    log: parts.log,
    onChange: (listener) => {
      const fromStore = store.onChange(listener);
      // A worker that is there again is as good as a change: queued samples wait for it.
      const fromLink = link.onStatus(() => listener('batches'));
      return () => {
        fromStore();
        fromLink();
      };
    },
  });
}

function isUp(state: string): boolean {
  return state === 'ready' || state === 'busy';
}

export function trainWork(parts: TrainLoopParts): LoopWork<TrainItem> {
  const { store, config, log } = parts;
  const steps = new TrainSteps(parts);
  return {
    name: 'train',
    wakesOn: ['settings', 'samples', 'batches', 'versions'],
    next: () => {
      const ready = parts.ready();
      if (store.learning() !== 'on' || !ready.engine) return undefined;
      const item = nextItem(store, config, steps.anchorsFailed ? undefined : missingAnchor(store));
      const submits = item?.kind === 'batch' && item.batch.manifest !== null;
      return submits && !ready.trainer ? undefined : item;
    },
    nextDueMs: () => undefined,
    describe,
    handle: async (item, nowMs, signal) => {
      try {
        await steps.run(item, nowMs, signal);
      } catch (thrown) {
        const error = toApprenticeError(thrown);
        if (signal.aborted) throw error;
        if (OUTAGES.has(error.code)) {
          log.info(`train loop: ${describe(item)} waits: ${error.message}`);
          await delay(OUTAGE_PAUSE_MS, undefined, { signal });
        } else if (HOPELESS.has(error.code)) {
          steps.giveUp(item, nowMs, error);
        } else {
          throw error;
        }
      }
    },
    giveUp: (item, nowMs, error) => steps.giveUp(item, nowMs, error),
    counts: (nowMs) => {
      const { samplesReady, samplesInBatch } = store.queueLengths(nowMs);
      return { queued: samplesReady + samplesInBatch, done: store.doneCounts().train };
    },
  };
}

/** What has waited longest in the chain goes first: a decision, the open batch, then new samples. */
function nextItem(store: Store, config: LearningConfig, missing: string | undefined): TrainItem | undefined {
  const version = store.versions().find((one) => one.state === 'trained');
  if (version) return { kind: 'decide', version };
  const batch = store.openBatch();
  if (batch) return { kind: 'batch', batch };
  const prompt = config.anchors > 0 ? missing : undefined;
  // A first batch waits for the anchors that it takes itself; the rest are made when nothing else is to do.
  if (prompt !== undefined && store.anchors().length < config.anchors) return { kind: 'anchor', prompt };
  const samples = store.readySamples(config.newSamplesPerBatch);
  if (samples.length > 0) return { kind: 'samples', samples };
  return prompt === undefined ? undefined : { kind: 'anchor', prompt };
}

function describe(item: TrainItem): string {
  switch (item.kind) {
    case 'decide':
      return `promotion of ${item.version.version}`;
    case 'batch':
      return `batch ${item.batch.batchId} (${item.batch.version})`;
    case 'anchor':
      return `anchor "${item.prompt}"`;
    case 'samples':
      return `${item.samples.length} new samples`;
  }
}

class TrainSteps {
  readonly #parts: TrainLoopParts;
  readonly #builder: BatchBuilder;
  /** Training goes on with the anchors there are; they are tried again when the process starts anew. */
  anchorsFailed = false;

  constructor(parts: TrainLoopParts) {
    this.#parts = parts;
    this.#builder = new BatchBuilder(parts);
  }

  async run(item: TrainItem, nowMs: number, signal: AbortSignal): Promise<void> {
    switch (item.kind) {
      case 'decide':
        return this.#decide(item.version, nowMs, signal);
      case 'batch':
        return this.#train(item.batch, nowMs, signal);
      case 'anchor':
        return makeAnchor(this.#parts, item.prompt, signal);
      case 'samples':
        return this.#begin(item.samples, nowMs);
    }
  }

  giveUp(item: TrainItem, nowMs: number, error: ApprenticeError): void {
    const { store, log } = this.#parts;
    log.error(`train loop: gave up on ${describe(item)}: ${error.message}`);
    if (item.kind === 'anchor') this.anchorsFailed = true;
    if (item.kind === 'batch') store.failBatch(item.batch.batchId, error.message);
    if (item.kind === 'decide') store.rejectVersion(item.version.version, error.message, nowMs);
  }

  #begin(samples: readonly Sample[], nowMs: number): void {
    const { store, config } = this.#parts;
    const newSamples = samples.map(({ sampleId }) => sampleId);
    const pool = store
      .replaySamples(REPLAY_POOL, newSamples)
      .filter((sample) => needsOf(config, sample) !== null);
    store.beginBatch({
      batchId: BatchId.parse(randomUUID()),
      version: store.nextVersion(),
      parent: store.serving(),
      newSamples,
      replaySamples: pickReplay(pool, config.replay).map(({ sampleId }) => sampleId),
      createdAtMs: nowMs,
    });
  }

  async #train(batch: Batch, nowMs: number, signal: AbortSignal): Promise<void> {
    const { store, folders, trainer } = this.#parts;
    const { batchId } = batch;
    // Built and then submitted in the next step. A manifest without its folder is a disk that lost it.
    if (batch.manifest === null || !(await folders.exists(batchId))) return this.#build(batch, signal);
    if (batch.attempts >= MAX_SUBMISSIONS)
      throw new ApprenticeError(
        'batch_invalid',
        `Batch ${batchId} was submitted ${batch.attempts} times without an end.`,
        'Its samples are held.',
      );
    store.submitBatch(batchId);
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(TRAIN_LIMIT_MS)]);
      const { folder, adapterSha256, metrics } = await trainer.train(batchId, folders.path(batchId), limited);
      store.completeBatch(batchId, { folder, adapterSha256, metrics, atMs: nowMs });
    } catch (thrown) {
      // The disk or somebody changed the folder: written again from the store, then submitted again.
      if (toApprenticeError(thrown).code === 'batch_tampered') await this.#build(batch, signal);
      throw thrown;
    }
    await folders.remove(batchId);
  }

  async #build(batch: Batch, signal: AbortSignal): Promise<void> {
    const { store, serving, folders } = this.#parts;
    const lease = await serving.acquire(signal, batch.parent);
    try {
      const { manifest, tensors } = await this.#builder.build(batch, signal);
      await folders.write(manifest, tensors);
      store.setManifest(batch.batchId, manifest);
    } finally {
      lease.release();
    }
  }

  async #decide({ version, metrics }: Version, nowMs: number, signal: AbortSignal): Promise<void> {
    const { store, serving, engine, prompts } = this.#parts;
    const verdict = metrics ? judgeMetrics(metrics) : { promoted: false, reason: 'it has no metrics' };
    if (!verdict.promoted) {
      store.rejectVersion(version, verdict.reason, nowMs);
      return;
    }
    const prompt = await prompts.get(signal);
    const decide = async () => {
      await probe(engine, version, prompt, signal);
      store.promote(version, verdict.reason, nowMs);
    };
    await serving.swap(version, decide, signal);
  }
}
