/** The anchors that a batch takes, as labelled rows. Making anchors is anchor-maker.ts. */
import { anchorRow } from '../learning/anchor.ts';
import type { LearningConfig } from '../learning/config.ts';
import type { TrainRow } from '../learning/rows.ts';
import { versionNumber } from '../protocol/ids.ts';
import type { BatchRow } from '../protocol/training.ts';
import type { Anchor, Batch } from '../store/version-types.ts';

export interface LabelledRow {
  row: TrainRow;
  label: BatchRow;
}

/** Anchors take turns by the version's number, so that a batch built again gets the same. */
export function anchorRows(
  batch: Pick<Batch, 'version'>,
  anchors: readonly Anchor[],
  config: Pick<LearningConfig, 'anchors' | 'anchorWeight'>,
): LabelledRow[] {
  const count = Math.min(config.anchors, anchors.length);
  const first = versionNumber(batch.version) * config.anchors;
  return Array.from({ length: count }, (_, index) => anchors[(first + index) % anchors.length]).flatMap(
    (anchor): LabelledRow[] =>
      anchor
        ? [
            {
              row: anchorRow(anchor, config.anchorWeight),
              label: { sampleId: null, role: 'anchor', origin: 'anchor' },
            },
          ]
        : [],
  );
}
