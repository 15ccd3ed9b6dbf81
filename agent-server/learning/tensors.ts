/**
 * The safetensors format: eight bytes of header length (little-endian), a JSON header, then the bytes of the
 * tensors without a gap. Only what a batch needs; Hugging Face's own libraries read and write the rest.
 */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';

export type Tensor =
  | { dtype: 'I64'; shape: number[]; data: BigInt64Array<ArrayBuffer> }
  | { dtype: 'I32'; shape: number[]; data: Int32Array<ArrayBuffer> }
  | { dtype: 'F32'; shape: number[]; data: Float32Array<ArrayBuffer> }
  | { dtype: 'U8'; shape: number[]; data: Uint8Array<ArrayBuffer> };

const ITEM_BYTES: Record<Tensor['dtype'], number> = { I64: 8, I32: 4, F32: 4, U8: 1 };

const Header = z.record(
  z.string(),
  z.object({
    dtype: z.enum(['I64', 'I32', 'F32', 'U8']),
    shape: z.array(z.number().int().min(0)),
    data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  }),
);

/**
 * The bytes of a safetensors file. Widest items first, so that every tensor starts at a multiple of its item
 * size. Typed arrays are written as they lie in memory: every platform that Node runs on is little-endian.
 */
export function encodeSafetensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array<ArrayBuffer> {
  const ordered = Object.entries(tensors).sort(
    ([a, x], [b, y]) => ITEM_BYTES[y.dtype] - ITEM_BYTES[x.dtype] || (a < b ? -1 : 1),
  );
  const header: z.infer<typeof Header> = {};
  let end = 0;
  for (const [name, tensor] of ordered) {
    const items = tensor.shape.reduce((product, size) => product * size, 1);
    if (items !== tensor.data.length) {
      throw invalid(`tensor ${name} has ${tensor.data.length} items for shape [${tensor.shape.join(', ')}]`);
    }
    const start = end;
    end += tensor.data.byteLength;
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [start, end] };
  }
  const json = JSON.stringify(header);
  const head = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const bytes = new Uint8Array(8 + head.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let at = 8 + head.length;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** Reads what `encodeSafetensors` writes. Throws `batch_invalid` on anything else. */
export function decodeSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  if (bytes.byteLength < 8) throw invalid('it is shorter than its own header length');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headBytes = view.getBigUint64(0, true);
  if (headBytes > BigInt(bytes.byteLength - 8)) throw invalid('its header is longer than the file');
  const start = 8 + Number(headBytes);
  const parsed = Header.safeParse(parseJson(new TextDecoder().decode(bytes.subarray(8, start))));
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(parsed.data)) {
    const [from, to] = data_offsets;
    const wanted = shape.reduce((product, size) => product * size, ITEM_BYTES[dtype]);
    if (to - from !== wanted || start + to > bytes.byteLength)
      throw invalid(`tensor ${name} has other bytes than its shape`);
    // Copied by the constructor: `slice` of a Node Buffer would be a view into a larger, unaligned one.
    const own = new Uint8Array(bytes.subarray(start + from, start + to));
    tensors.set(name, tensorOf(dtype, shape, own.buffer));
  }
  return tensors;
}

function tensorOf(dtype: Tensor['dtype'], shape: number[], buffer: ArrayBuffer): Tensor {
  switch (dtype) {
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'U8':
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid('its header is not JSON', error);
  }
}

function invalid(why: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'batch_invalid',
    `Not a usable safetensors file: ${why}.`,
    'Build the batch again.',
    {
      cause,
    },
  );
}
