/**
 * Weights of a Hugging Face folder, found and read: one safetensors file or several. https://huggingface.co/docs/safetensors
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type TensorType, TYPE_BYTES } from './gguf.ts';

const PREFIX_BYTES = 8;
const MAX_HEADER_BYTES = 100 * 1024 * 1024;
const CHUNK_BYTES = 32 * 1024 * 1024;

const Entry = z.object({
  dtype: z.enum(['F32', 'F16', 'BF16']),
  shape: z.array(z.number().int().min(0)),
  data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
});

export interface StoredTensor {
  file: string;
  dtype: TensorType;
  shape: number[];
  /** In the file. */
  start: number;
  sizeBytes: number;
}

/** Every tensor of one file by name. Throws an Error that says what is wrong with it. */
export async function tensorsOf(file: string): Promise<Map<string, StoredTensor>> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const headerBytes = Number((await readAt(handle, 0, PREFIX_BYTES)).readBigUInt64LE());
    const dataStart = PREFIX_BYTES + headerBytes;
    if (headerBytes > MAX_HEADER_BYTES || dataStart > size) throw new Error(`${file} ends inside its header`);
    const json: unknown = JSON.parse((await readAt(handle, PREFIX_BYTES, headerBytes)).toString('utf8'));
    const found = new Map<string, StoredTensor>();
    for (const [name, value] of Object.entries(z.record(z.string(), z.unknown()).parse(json))) {
      if (name === '__metadata__') continue;
      const parsed = Entry.safeParse(value);
      if (!parsed.success) throw new Error(`${file}: ${name} is of a type that is not read here`);
      const { dtype, shape, data_offsets } = parsed.data;
      const [from, to] = data_offsets;
      const sizeBytes = shape.reduce((product, length) => product * length, TYPE_BYTES[dtype]);
      if (to - from !== sizeBytes || dataStart + to > size)
        throw new Error(`${file}: ${name} does not have the bytes that its shape asks for`);
      found.set(name, { file, dtype, shape, start: dataStart + from, sizeBytes });
    }
    return found;
  } finally {
    await handle.close();
  }
}

/** Of all the folder's safetensors files. Throws an Error for a folder that has none. */
export async function tensorsIn(folder: string): Promise<Map<string, StoredTensor>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort();
  if (names.length === 0) throw new Error(`${folder} holds no .safetensors file`);
  const files = await Promise.all(names.map((name) => tensorsOf(join(folder, name))));
  return new Map(files.flatMap((tensors) => [...tensors]));
}

/** The tensor's bytes in pieces. */
export async function* readChunks({ file, start, sizeBytes }: StoredTensor): AsyncGenerator<Buffer> {
  const handle = await open(file);
  try {
    for (let done = 0; done < sizeBytes; done += CHUNK_BYTES)
      yield await readAt(handle, start + done, Math.min(CHUNK_BYTES, sizeBytes - done));
  } finally {
    await handle.close();
  }
}

/** All of the tensor's bytes, of less than 2 GiB. */
export async function readWhole(tensor: StoredTensor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readChunks(tensor)) chunks.push(chunk);
  return Buffer.concat(chunks, tensor.sizeBytes);
}

/** All of the tensor's values. */
export async function readFloats(tensor: StoredTensor): Promise<Float32Array> {
  return toFloats(await readWhole(tensor), tensor.dtype);
}

/** Numbers of 16 bits as 32: bfloat16 is float32's upper half, float16 has five bits of exponent. */
export function toFloats(bytes: Buffer, dtype: TensorType): Float32Array {
  const count = bytes.length / TYPE_BYTES[dtype];
  const floats = new Float32Array(count);
  if (dtype === 'F32') new Uint8Array(floats.buffer).set(bytes);
  else if (dtype === 'BF16') {
    const bits = new Uint32Array(floats.buffer);
    for (let index = 0; index < count; index += 1) bits[index] = bytes.readUInt16LE(index * 2) << 16;
  } else for (let index = 0; index < count; index += 1) floats[index] = half(bytes.readUInt16LE(index * 2));
  return floats;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, position);
  if (bytesRead < length) throw new Error('a file is shorter than it says');
  return bytes;
}
