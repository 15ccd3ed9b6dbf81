/**
 * Samples to training rows: scores what learning/ says it needs, with the version that is trained from, and adds
 * anchors. What an advantage is, is left to learning/; files to batch-folder.ts; when, to the train loop.
 */
import type { Engine, Scored } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { teacherMessages } from '../hindsight/teacher-prompt.ts';
import { anchorRow } from '../learning/anchor.ts';
import { encodeBatch } from '../learning/batch.ts';
import type { LearningConfig } from '../learning/config.ts';
import { seededRandom, seedOf } from '../learning/random.ts';
import type { TrainRow } from '../learning/rows.ts';
import { type Needs, needsOf, rowsOfSample } from '../learning/sample-rows.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, type SampleId, versionNumber } from '../protocol/ids.ts';
import { BATCH_FORMAT, type BatchManifest, type BatchRow } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { Batch, Sample, Turn, TurnResponse } from '../store/types.ts';
import { sha256 } from './batch-folder.ts';

export interface BatchBuilderOptions {
  store: Pick<Store, 'batchSamples' | 'sample' | 'turn' | 'anchors'>;
  engine: Pick<Engine, 'score'>;
  prompts: PromptSource;
  config: LearningConfig;
}

/** A commit message of more tokens is a document; beyond this it is learnt from its beginning, without an end token. */
const MAX_REWRITE_TOKENS = 512;
/** Scores of a frozen teacher that are kept: some 100 samples of 64 tokens with 32 candidates, 10 MB. */
const MAX_TEACHER_SCORES = 128;

interface LabelledRow {
  row: TrainRow;
  label: BatchRow;
}

export class BatchBuilder {
  readonly #options: BatchBuilderOptions;
  /** A frozen teacher's scores never change, and replayed samples need them again in every batch. */
  readonly #teacherScores = new Map<string, Scored>();

  constructor(options: BatchBuilderOptions) {
    this.#options = options;
  }

  /**
   * The manifest and the tensors of an open batch; the parent must be loaded. The same batch gives the same rows
   * when it is built again. Throws `batch_invalid` when its samples give no row, and what the engine throws.
   */
  async build(batch: Batch, signal: AbortSignal): Promise<{ manifest: BatchManifest; tensors: Uint8Array }> {
    const { store, config, prompts } = this.#options;
    const prompt = await prompts.get(signal);
    const rows: LabelledRow[] = [];
    for (const { sampleId, origin } of store.batchSamples(batch.batchId)) {
      for (const row of await this.#sampleRows(batch, sampleId, prompt, signal))
        rows.push({ row, label: { sampleId, role: row.role, origin } });
    }
    if (!rows.some(({ label }) => label.origin === 'new'))
      throw new ApprenticeError(
        'batch_invalid',
        `The samples of batch ${batch.batchId} give nothing to train by the method ${config.method}.`,
        'They are held; another method may use them.',
      );
    rows.push(...this.#anchorRows(batch));
    const tensors = encodeBatch(rows.map(({ row }) => row));
    const manifest: BatchManifest = {
      format: BATCH_FORMAT,
      batchId: batch.batchId,
      parent: batch.parent,
      version: batch.version,
      rows: rows.map(({ label }) => label),
      hyperparameters: config.hyperparameters,
      tensorsSha256: sha256(tensors),
    };
    return { manifest, tensors };
  }

  async #sampleRows(
    batch: Batch,
    sampleId: SampleId,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<TrainRow[]> {
    const { config } = this.#options;
    const { sample, turn, response } = this.#stored(sampleId);
    const teacherIds = sample.hint ? prompt.ids(teacherMessages(turn.messages, sample.hint)) : null;
    const fits = (teacherIds?.length ?? 0) + response.responseIds.length <= prompt.tokenizer.contextLength;
    // A teacher whose prompt does not fit has nothing to say; the rewrite itself still can be learnt.
    const settings = fits ? config : { ...config, method: 'demonstration' as const };
    const needs = needsOf(settings, sample);
    if (!needs) return [];
    const scored = await this.#score(batch, { sample, turn, response, needs, teacherIds }, signal);
    const rewrite = needs.rewrite && sample.hint ? prompt.responseIds(sample.hint.text) : null;
    const room = Math.min(MAX_REWRITE_TOKENS, prompt.tokenizer.contextLength - turn.promptIds.length);
    const parts = {
      score: sample.score,
      hint: sample.hint,
      promptIds: turn.promptIds,
      responseIds: response.responseIds,
      behaviourLogprobs: response.behaviourLogprobs,
      ...scored,
      rewriteIds: rewrite?.slice(0, Math.max(0, room)) ?? null,
    };
    return rowsOfSample(settings, parts, seededRandom(seedOf(`${batch.batchId}/${sampleId}`)));
  }

  async #score(
    batch: Batch,
    of: { sample: Sample; turn: Turn; response: TurnResponse; needs: Needs; teacherIds: number[] | null },
    signal: AbortSignal,
  ): Promise<{ student: Scored | null; teacher: Scored | null }> {
    const { engine, config } = this.#options;
    const { needs, teacherIds } = of;
    const { responseIds } = of.response;
    if (responseIds.length === 0) return { student: null, teacher: null };
    const score = (promptIds: readonly number[], version: Batch['parent']) =>
      engine.score({ promptIds, responseIds, version, topLogprobs: needs.topLogprobs }, signal);
    const student = needs.student ? await score(of.turn.promptIds, batch.parent) : null;
    if (!needs.teacher || teacherIds === null) return { student, teacher: null };
    if (config.teacher === 'current') return { student, teacher: await score(teacherIds, batch.parent) };
    const key = `${of.sample.sampleId} ${needs.topLogprobs} ${of.sample.hint?.text}`;
    const teacher = this.#teacherScores.get(key) ?? (await score(teacherIds, BASE_VERSION));
    this.#keep(key, teacher);
    return { student, teacher };
  }

  #keep(key: string, scored: Scored): void {
    this.#teacherScores.delete(key);
    this.#teacherScores.set(key, scored);
    const [oldest] = this.#teacherScores.keys();
    if (this.#teacherScores.size > MAX_TEACHER_SCORES && oldest !== undefined)
      this.#teacherScores.delete(oldest);
  }

  /** Anchors take turns by the version's number, so that a batch built again gets the same. */
  #anchorRows(batch: Batch): LabelledRow[] {
    const { store, config } = this.#options;
    const anchors = store.anchors();
    const count = Math.min(config.anchors, anchors.length);
    const first = versionNumber(batch.version) * config.anchors;
    return Array.from({ length: count }, (_, index) => anchors[(first + index) % anchors.length]).flatMap(
      (anchor) =>
        anchor
          ? [
              {
                row: anchorRow(anchor, config.anchorWeight),
                label: { sampleId: null, role: 'anchor' as const, origin: 'anchor' as const },
              },
            ]
          : [],
    );
  }

  #stored(sampleId: SampleId): { sample: Sample; turn: Turn; response: TurnResponse } {
    const sample = this.#options.store.sample(sampleId);
    const turn = sample && this.#options.store.turn(sample.turnId);
    if (sample && turn?.response) return { sample, turn, response: turn.response };
    throw new ApprenticeError(
      'batch_invalid',
      `Sample ${sampleId} has no answered turn in the store.`,
      'The batch is given up.',
    );
  }
}
