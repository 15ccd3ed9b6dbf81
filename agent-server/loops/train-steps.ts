/**
 * The train loop's steps: begin a batch, build its folder, have it trained, decide on the version. Each reads what
 * it needs from the store and may be done again after a crash. Which step comes next is train-items.ts; retries
 * are train-loop.ts.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { VotingParts } from '../judge/votes.ts';
import type { LearningConfig } from '../learning/config.ts';
import { pickReplay } from '../learning/replay.ts';
import { needsOf } from '../learning/sample-rows.ts';
import type { Log } from '../log.ts';
import type { AdapterFolders } from '../promotion/adapter-folders.ts';
import type { Gate } from '../promotion/gate.ts';
import { judgeFigures, judgeMetrics, probe } from '../promotion/promote.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { BatchId, type SampleId } from '../protocol/ids.ts';
import type { BatchManifest } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { Sample } from '../store/types.ts';
import type { Batch, Version } from '../store/version-types.ts';
import { advantagesOf } from './advantages.ts';
import { makeAnchor } from './anchor-maker.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { BatchFolders } from './batch-folder.ts';
import { doesWithout } from './lesson-gap.ts';
import { describeItem, type TrainItem } from './train-items.ts';
import type { Trainer } from './worker-link.ts';

/** Makes the rows of one kind of batch. The same batch gives the same rows when it is built again. */
export interface BuildsBatch {
  build(batch: Batch, signal: AbortSignal): Promise<{ manifest: BatchManifest; tensors: Uint8Array }>;
}

export interface TrainStepsParts {
  store: Store;
  engine: Engine;
  serving: Serving;
  prompts: PromptSource;
  folders: BatchFolders;
  trainer: Trainer;
  gate: Pick<Gate, 'measure'>;
  adapters: Pick<AdapterFolders, 'intact' | 'thin'>;
  config: LearningConfig;
  log: Log;
  /** Builds batches of the kind `distillation`. */
  distillation?: BuildsBatch;
  /** Asked of a teacher that nothing else tells of. */
  judge?: VotingParts;
}

/** Earlier samples that replay chooses from. */
const REPLAY_POOL = 512;
/** A step takes seconds; one that takes this long hangs. */
const TRAIN_LIMIT_MS = 30 * 60_000;
/**
 * Steps made of accepted answers after a correction: they bring what the lesson did into the weights, and each drifts a
 * little further from the base. What the weights then still lack the lesson goes on to do.
 */
const MAX_DEMONSTRATIONS = 4;
/** Submissions of one batch, crashes of either side included, before it is given up. */
export const MAX_SUBMISSIONS = 20;

export class TrainSteps {
  readonly #parts: TrainStepsParts;
  readonly #samples: BuildsBatch;
  /** Training goes on with the anchors there are; they are tried again when the process starts anew. */
  anchorsFailed = false;

  constructor(parts: TrainStepsParts) {
    this.#parts = parts;
    this.#samples = new BatchBuilder(parts);
  }

  /** Throws what the parts throw, and `aborted` as soon as the item has become stale. */
  async run(item: TrainItem, nowMs: number, signal: AbortSignal): Promise<void> {
    const gone = new AbortController();
    const unsubscribe = this.#parts.store.onChange((what) => {
      if ((what === 'batches' || what === 'versions') && this.stale(item)) gone.abort();
    });
    try {
      await this.#step(item, nowMs, AbortSignal.any([signal, gone.signal]));
    } catch (error) {
      if (item.kind === 'batch' && this.stale(item)) await this.#parts.folders.remove(item.batch.batchId);
      throw error;
    } finally {
      unsubscribe();
    }
  }

  async #step(item: TrainItem, nowMs: number, signal: AbortSignal): Promise<void> {
    switch (item.kind) {
      case 'decide':
        await this.#decide(item.version, nowMs, signal);
        return this.#parts.adapters.thin();
      case 'batch':
        return this.#train(item.batch, nowMs, signal);
      case 'anchor':
        return makeAnchor(this.#parts, item.prompt, signal);
      case 'samples':
        return this.#begin(item.samples, nowMs, signal);
      case 'idle':
        return item.task.run(nowMs, signal);
    }
  }

  giveUp(item: TrainItem, nowMs: number, error: ApprenticeError): void {
    const { store, log } = this.#parts;
    log.error(`train loop: gave up on ${describeItem(item)}: ${error.message}`);
    if (item.kind === 'anchor') this.anchorsFailed = true;
    if (item.kind === 'batch') store.failBatch(item.batch.batchId, error.message);
    if (item.kind === 'decide') store.rejectVersion(item.version.version, error.message, nowMs);
    if (item.kind === 'idle') item.task.giveUp(nowMs, error);
  }

  /** Is there no sense in it any more: the user went back, excluded or deleted something meanwhile? */
  stale(item: TrainItem): boolean {
    const { store } = this.#parts;
    if (item.kind === 'batch') return store.openBatch()?.batchId !== item.batch.batchId;
    if (item.kind === 'decide') return store.version(item.version.version)?.state !== 'trained';
    return false;
  }

  async #begin(samples: readonly Sample[], nowMs: number, signal: AbortSignal): Promise<void> {
    const { store, config } = this.#parts;
    const newSamples: SampleId[] = [];
    for (const sample of samples) {
      const passed = await this.#passedOver(sample, signal);
      if (passed === null) newSamples.push(sample.sampleId);
      else store.holdSample(sample.sampleId, passed);
    }
    if (newSamples.length === 0) return;
    const pool = store
      .replaySamples(REPLAY_POOL, newSamples)
      .filter((sample) => needsOf(config, sample) !== null);
    store.beginBatch({
      batchId: BatchId.parse(randomUUID()),
      version: store.nextVersion(),
      parent: store.serving(),
      kind: 'samples',
      newSamples,
      replaySamples: pickReplay(pool, config.replay).map(({ sampleId }) => sampleId),
      turns: [],
      createdAtMs: nowMs,
    });
  }

  /** Why no step is made of an answer that was accepted with lessons; null: one is, as of any other sample. */
  async #passedOver({ score, turnId }: Sample, signal: AbortSignal): Promise<string | null> {
    const { store, serving, engine, prompts } = this.#parts;
    const turn = store.turn(turnId);
    if (score !== 1 || turn === undefined || turn.lessonIds.length === 0) return null;
    if (store.demonstrationsLearnt(turnId) >= MAX_DEMONSTRATIONS)
      return 'Enough answers like it were learnt from since your last correction: no step is made of it.';
    const prompt = await prompts.get(signal);
    const lease = await serving.acquire(signal);
    try {
      return (await doesWithout(engine, turn, lease.version, prompt, signal))
        ? 'The model says it without lessons already: no step is made of it.'
        : null;
    } finally {
      lease.release();
    }
  }

  async #train(batch: Batch, nowMs: number, signal: AbortSignal): Promise<void> {
    const { store, folders, trainer, serving, adapters } = this.#parts;
    const { batchId } = batch;
    // Built and then submitted in the next step. A manifest without its folder is a disk that lost it.
    if (batch.manifest === null || !(await folders.exists(batchId))) return this.#build(batch, signal);
    if (batch.attempts >= MAX_SUBMISSIONS)
      throw new ApprenticeError(
        'batch_invalid',
        `Batch ${batchId} was submitted ${batch.attempts} times without an end.`,
        'Its samples are held.',
      );
    // A submission counts: one that a full disk would end must not begin.
    await folders.requireSpace();
    store.submitBatch(batchId);
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(TRAIN_LIMIT_MS)]);
      const { folder, adapterSha256, metrics } = await trainer.train(batchId, folders.path(batchId), limited);
      store.completeBatch(batchId, { folder, adapterSha256, metrics, atMs: nowMs });
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      // The disk or somebody changed the folder: written again from the store, then submitted again.
      if (error.code === 'batch_tampered') await this.#build(batch, signal);
      // The engine may still have it in memory. What it had learnt is learnt again from its ancestor, with this.
      if (error.code === 'adapter_invalid' && !(await adapters.intact(batch.parent)))
        serving.lose(batch.parent, error);
      throw thrown;
    }
    await folders.remove(batchId);
  }

  async #build(batch: Batch, signal: AbortSignal): Promise<void> {
    const { store, serving, folders } = this.#parts;
    const builder = this.#builderOf(batch);
    const lease = await serving.acquire(signal, batch.parent);
    try {
      const { manifest, tensors } = await builder.build(batch, signal);
      await folders.write(manifest, tensors);
      store.setManifest(batch.batchId, manifest, advantagesOf(manifest, tensors));
    } finally {
      lease.release();
    }
  }

  #builderOf(batch: Batch): BuildsBatch {
    if (batch.kind === 'samples') return this.#samples;
    const { distillation } = this.#parts;
    if (distillation) return distillation;
    throw new ApprenticeError(
      'batch_invalid',
      `Batch ${batch.batchId} distils lessons, and lessons are switched off.`,
      'The batch is given up; nothing of the user is lost with it.',
    );
  }

  async #decide(candidate: Version, nowMs: number, signal: AbortSignal): Promise<void> {
    const { store, serving, engine, prompts, gate, config } = this.#parts;
    const { version, metrics } = candidate;
    const sound = metrics
      ? judgeMetrics(metrics, config.guardRails)
      : { promoted: false, reason: 'it has no metrics' };
    if (!sound.promoted) {
      store.rejectVersion(version, sound.reason, nowMs);
      return;
    }
    const prompt = await prompts.get(signal);
    await serving.swap(
      version,
      async () => {
        await probe(engine, version, prompt, signal);
        const figures = await gate.measure(candidate, signal);
        const verdict = judgeFigures(figures);
        const reason = `${sound.reason}; ${verdict.reason}`;
        if (verdict.promoted) store.promote(version, reason, nowMs, figures);
        else store.rejectVersion(version, reason, nowMs, figures);
        return verdict.promoted;
      },
      signal,
    );
  }
}
