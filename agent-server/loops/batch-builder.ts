/**
 * An open batch to its manifest and tensors: the rows of its samples (sample-scorer.ts) and anchors. Files are left
 * to batch-folder.ts; when, to the train loop.
 */
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { LearningConfig } from '../learning/config.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { BatchManifest } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { Batch } from '../store/version-types.ts';
import type { LabelledRow } from './anchor-rows.ts';
import { filledBatch } from './filled-batch.ts';
import { SampleScorer, type SampleScorerParts } from './sample-scorer.ts';

export interface BatchBuilderOptions extends SampleScorerParts {
  store: SampleScorerParts['store'] & Pick<Store, 'batchSamples' | 'anchors'>;
  prompts: PromptSource;
  config: LearningConfig;
}

export class BatchBuilder {
  readonly #options: BatchBuilderOptions;
  readonly #scorer: SampleScorer;

  constructor(options: BatchBuilderOptions) {
    this.#options = options;
    this.#scorer = new SampleScorer(options);
  }

  /**
   * The manifest and the tensors of an open batch; the parent must be loaded. The same batch gives the same rows
   * when it is built again. Throws `batch_invalid` when its samples give no row, and what the engine throws.
   */
  async build(batch: Batch, signal: AbortSignal): Promise<{ manifest: BatchManifest; tensors: Uint8Array }> {
    const { store, config, prompts } = this.#options;
    const prompt = await prompts.get(signal);
    const rows: LabelledRow[] = [];
    const unused: string[] = [];
    for (const { sampleId, origin } of store.batchSamples(batch.batchId)) {
      const scored = await this.#scorer.rows(batch, sampleId, prompt, signal);
      rows.push(...scored.rows.map((row) => ({ row, label: { sampleId, role: row.role, origin } })));
      if (origin === 'new' && scored.unused !== null) unused.push(scored.unused);
    }
    if (!rows.some(({ label }) => label.origin === 'new'))
      throw new ApprenticeError(
        'batch_invalid',
        [
          `The samples of batch ${batch.batchId} give nothing to train by the method ${config.method}.`,
          ...unused,
        ].join(' '),
        'They are held; another method may use them.',
      );
    return filledBatch(batch, rows, store.anchors(), config);
  }
}
