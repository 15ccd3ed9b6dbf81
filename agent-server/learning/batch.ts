/** Rows to the tensors of `batch.safetensors`, the trainer's whole input beside the manifest. */
import { ApprenticeError } from '../protocol/errors.ts';
import { sameLength, type TrainRow } from './rows.ts';
import { encodeSafetensors } from './tensors.ts';

/**
 * S rows with T tokens in all, R of them response tokens, K the widest support (at least 1, so that no tensor
 * is empty): tokens i32[T], sample_offsets i64[S+1], response_starts i64[S], support_ids i32[R,K] padded with
 * -1, support_logprobs and support_advantages f32[R,K], old_logprobs, behaviour_logprobs and ce_weights
 * f32[R], loss_mask u8[R]. Throws `batch_invalid` for no rows, an empty prompt or response, or lists of
 * different lengths.
 */
export function encodeBatch(rows: readonly TrainRow[]): Uint8Array<ArrayBuffer> {
  if (rows.length === 0) throw invalid('it has no rows');
  for (const [i, row] of rows.entries()) check(row, i);
  const tokens = rows.flatMap((row) => [...row.promptIds, ...row.responseIds]);
  const offsets = [0];
  const starts: number[] = [];
  for (const row of rows) {
    const offset = offsets.at(-1) ?? 0;
    starts.push(offset + row.promptIds.length);
    offsets.push(offset + row.promptIds.length + row.responseIds.length);
  }
  const supportIds = rows.flatMap((row) => row.support.ids);
  const R = supportIds.length;
  const K = supportIds.reduce((widest, ids) => Math.max(widest, ids.length), 1);
  const padded = (lists: readonly (readonly number[])[], padding: number): number[] =>
    lists.flatMap((list) => [...list, ...new Array<number>(K - list.length).fill(padding)]);
  const f32 = (pick: (row: TrainRow) => readonly number[]) => ({
    dtype: 'F32' as const,
    shape: [R],
    data: Float32Array.from(rows.flatMap(pick)),
  });
  return encodeSafetensors({
    tokens: { dtype: 'I32', shape: [tokens.length], data: Int32Array.from(tokens) },
    sample_offsets: { dtype: 'I64', shape: [offsets.length], data: BigInt64Array.from(offsets, BigInt) },
    response_starts: { dtype: 'I64', shape: [starts.length], data: BigInt64Array.from(starts, BigInt) },
    support_ids: { dtype: 'I32', shape: [R, K], data: Int32Array.from(padded(supportIds, -1)) },
    support_logprobs: {
      dtype: 'F32',
      shape: [R, K],
      data: Float32Array.from(
        padded(
          rows.flatMap((row) => row.support.logprobs),
          0,
        ),
      ),
    },
    support_advantages: {
      dtype: 'F32',
      shape: [R, K],
      data: Float32Array.from(
        padded(
          rows.flatMap((row) => row.support.advantages),
          0,
        ),
      ),
    },
    old_logprobs: f32((row) => row.oldLogprobs),
    behaviour_logprobs: f32((row) => row.behaviourLogprobs),
    loss_mask: { dtype: 'U8', shape: [R], data: Uint8Array.from(rows.flatMap((row) => row.lossMask)) },
    ce_weights: f32((row) => row.ceWeights),
  });
}

/** Nothing but numbers of the right count may reach a file: the trainer has no other defence against a slip here. */
function check(row: TrainRow, index: number): void {
  const length = row.responseIds.length;
  if (row.promptIds.length === 0 || length === 0) throw invalid(`row ${index} has no prompt or no response`);
  const perPosition = {
    'support rows': row.support.ids,
    'support logprob rows': row.support.logprobs,
    'support advantage rows': row.support.advantages,
    'old logprobs': row.oldLogprobs,
    'behaviour logprobs': row.behaviourLogprobs,
    'mask entries': row.lossMask,
    'cross-entropy weights': row.ceWeights,
  };
  for (const [what, list] of Object.entries(perPosition)) sameLength(what, list.length, length);
  for (const [t, ids] of row.support.ids.entries()) {
    sameLength(`logprobs at position ${t}`, row.support.logprobs[t]?.length ?? 0, ids.length);
    sameLength(`advantages at position ${t}`, row.support.advantages[t]?.length ?? 0, ids.length);
  }
  const finite = [...row.support.advantages.flat(), ...row.ceWeights];
  if (!finite.every(Number.isFinite))
    throw invalid(`row ${index} has an advantage or weight that is no number`);
}

function invalid(why: string): ApprenticeError {
  return new ApprenticeError(
    'batch_invalid',
    `The batch cannot be written: ${why}.`,
    'Build it from other samples.',
  );
}
