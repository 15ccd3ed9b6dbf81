/** Labelled rows to what a batch's folder holds. The folder itself is batch-folder.ts. */
import { encodeBatch } from '../learning/batch.ts';
import type { LearningConfig } from '../learning/config.ts';
import { BATCH_FORMAT, type BatchManifest } from '../protocol/training.ts';
import type { Anchor, Batch } from '../store/version-types.ts';
import { anchorRows, type LabelledRow } from './anchor-rows.ts';
import { sha256 } from './batch-folder.ts';

/** `rows` and the anchors that this batch takes, as manifest and tensors. */
export function filledBatch(
  batch: Batch,
  rows: readonly LabelledRow[],
  anchors: readonly Anchor[],
  config: LearningConfig,
): { manifest: BatchManifest; tensors: Uint8Array } {
  const all = [...rows, ...anchorRows(batch, anchors, config)];
  const tensors = encodeBatch(all.map(({ row }) => row));
  const manifest: BatchManifest = {
    format: BATCH_FORMAT,
    batchId: batch.batchId,
    parent: batch.parent,
    version: batch.version,
    rows: all.map(({ label }) => label),
    hyperparameters: config.hyperparameters,
    tensorsSha256: sha256(tensors),
  };
  return { manifest, tensors };
}
