/** Of a batch that was built, what the panel shows of each sample: its tensors, less prompts, anchors and log-probabilities. */
import { tokenAdvantages } from '../learning/token-advantages.ts';
import type { BatchManifest } from '../protocol/training.ts';
import type { SampleAdvantages } from '../store/version-types.ts';

export function advantagesOf(manifest: BatchManifest, tensors: Uint8Array): SampleAdvantages[] {
  return tokenAdvantages(manifest, tensors).flatMap(({ row, tokens }): SampleAdvantages[] => {
    const label = manifest.rows[row];
    if (label === undefined || label.sampleId === null || label.role === 'anchor') return [];
    return [{ sampleId: label.sampleId, role: label.role, batchId: manifest.batchId, tokens }];
  });
}
