/**
 * GGUF files, version 3, written: metadata, an index of tensors, their bytes. Source: ggml's docs/gguf.md. Reading what
 * such a file says of itself is gguf-header.ts.
 */
import { open, rename, rm } from 'node:fs/promises';

/** ggml's numbers of the types that are written here. */
export const GGML_TYPE = { F32: 0, F16: 1, BF16: 30 } as const;
export type TensorType = keyof typeof GGML_TYPE;
export const TYPE_BYTES: Readonly<Record<TensorType, number>> = { F32: 4, F16: 2, BF16: 2 };

/** GGUF's numbers of the kinds of values. */
export const VALUE_TYPE = { u32: 4, f32: 6, string: 8 } as const;

export type MetadataValue =
  | { type: 'u32'; value: number }
  | { type: 'f32'; value: number }
  | { type: 'string'; value: string };

export interface GgufTensor {
  name: string;
  /** Slowest dimension first, as in PyTorch; GGUF has it the other way round. */
  shape: readonly number[];
  type: TensorType;
  /** The tensor's bytes, in order, in pieces of any size. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const MAGIC = 'GGUF';
const VERSION = 3;
const ALIGNMENT = 32;

/** Of the tensor data, without padding. */
export function tensorBytes({ shape, type }: Pick<GgufTensor, 'shape' | 'type'>): number {
  return shape.reduce((product, size) => product * size, TYPE_BYTES[type]);
}

/**
 * Writes `file` beside itself and moves it into place, so that it is whole or not there. Throws what the disk says, an
 * Error for a tensor whose pieces are not the bytes of its shape, and the signal's reason.
 */
export async function writeGguf(
  file: string,
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: readonly GgufTensor[],
  signal?: AbortSignal,
): Promise<void> {
  const partial = `${file}.partial`;
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.write(header(metadata, tensors));
    for (const tensor of tensors) {
      let written = 0;
      for await (const chunk of tensor.chunks()) {
        signal?.throwIfAborted();
        await handle.write(chunk);
        written += chunk.byteLength;
      }
      const wanted = tensorBytes(tensor);
      if (written !== wanted) throw new Error(`${tensor.name} has ${written} bytes, its shape ${wanted}`);
      await handle.write(new Uint8Array(padding(written)));
    }
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(partial, { force: true });
    throw error;
  }
  await handle.close();
  await rename(partial, file);
}

function header(metadata: ReadonlyMap<string, MetadataValue>, tensors: readonly GgufTensor[]): Buffer {
  const parts = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(metadata.size)];
  for (const [key, { type, value }] of metadata) {
    parts.push(text(key), u32(VALUE_TYPE[type]));
    if (type === 'string') parts.push(text(value));
    else parts.push(type === 'u32' ? u32(value) : f32(value));
  }
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.shape.length));
    for (const size of tensor.shape.toReversed()) parts.push(u64(size));
    parts.push(u32(GGML_TYPE[tensor.type]), u64(offset));
    const bytes = tensorBytes(tensor);
    offset += bytes + padding(bytes);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...parts, Buffer.alloc(padding(length))]);
}

/** Bytes up to the next multiple of the alignment. */
export function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
