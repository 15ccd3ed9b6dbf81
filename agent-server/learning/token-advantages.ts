/** What a batch tells of each token of its samples, read back out of its tensors for a person to look at. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { BatchManifest } from '../protocol/training.ts';
import { decodeSafetensors, type Tensor } from './tensors.ts';

export interface TokenNumbers {
  id: number;
  /** Sum over the support's entries of this very token; null where it is not among them. */
  advantage: number | null;
  /** c_t of -log pi(y_t). */
  weight: number;
  /** The other token with the largest advantage at this position. */
  other: { id: number; advantage: number } | null;
}

export interface RowAdvantages {
  /** Index into `manifest.rows`. */
  row: number;
  tokens: TokenNumbers[];
}

/**
 * One entry for each row, in the manifest's order. A position that the loss leaves out has no numbers. Throws
 * `batch_invalid` when the tensors are not those of the contract.
 */
export function tokenAdvantages(manifest: Pick<BatchManifest, 'rows'>, tensors: Uint8Array): RowAdvantages[] {
  const read = decodeSafetensors(tensors);
  const tokens = tensorOf(read, 'tokens', 'I32').data;
  const offsets = tensorOf(read, 'sample_offsets', 'I64').data;
  const starts = tensorOf(read, 'response_starts', 'I64').data;
  const support = tensorOf(read, 'support_ids', 'I32');
  const advantages = tensorOf(read, 'support_advantages', 'F32').data;
  const weights = tensorOf(read, 'ce_weights', 'F32').data;
  const mask = tensorOf(read, 'loss_mask', 'U8').data;
  const width = support.shape[1] ?? 1;
  let position = 0;
  return manifest.rows.map((_, row) => {
    const start = Number(starts[row] ?? 0n);
    const end = Number(offsets[row + 1] ?? 0n);
    return {
      row,
      tokens: [...tokens.subarray(start, end)].map((id) => {
        const at = position++;
        if (mask[at] !== 1) return { id, advantage: null, weight: 0, other: null };
        const entries = [...support.data.subarray(at * width, (at + 1) * width)].flatMap((entry, j) =>
          entry < 0 ? [] : [{ id: entry, advantage: advantages[at * width + j] ?? 0 }],
        );
        return { id, weight: weights[at] ?? 0, ...split(id, entries) };
      }),
    };
  });
}

function split(
  id: number,
  entries: readonly { id: number; advantage: number }[],
): Pick<TokenNumbers, 'advantage' | 'other'> {
  const own = entries.filter((entry) => entry.id === id);
  const best = entries
    .filter((entry) => entry.id !== id)
    .reduce<TokenNumbers['other']>(
      (most, entry) => (most === null || entry.advantage > most.advantage ? entry : most),
      null,
    );
  return {
    advantage: own.length === 0 ? null : own.reduce((sum, { advantage }) => sum + advantage, 0),
    other: best,
  };
}

function tensorOf<D extends Tensor['dtype']>(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  dtype: D,
): Extract<Tensor, { dtype: D }> {
  const tensor = tensors.get(name);
  if (tensor !== undefined && isOf(tensor, dtype)) return tensor;
  throw new ApprenticeError(
    'batch_invalid',
    `The batch has no tensor ${name} of ${dtype}.`,
    'Build it again.',
  );
}

function isOf<D extends Tensor['dtype']>(tensor: Tensor, dtype: D): tensor is Extract<Tensor, { dtype: D }> {
  return tensor.dtype === dtype;
}
