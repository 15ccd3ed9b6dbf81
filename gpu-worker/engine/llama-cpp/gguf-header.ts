/** What a GGUF file says of itself: metadata and the index of its tensors. Source: ggml's docs/gguf.md, versions 2 and 3. */
import { open } from 'node:fs/promises';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { GGML_TYPE, padding } from './gguf.ts';

/** The vocabularies of models, with their merges, are some 10 MB. */
const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const FIRST_READ_BYTES = 16 * 1024 * 1024;

export type MetadataItem = number | boolean | string | readonly MetadataItem[];

export interface TensorEntry {
  /** Slowest dimension first, as in PyTorch. */
  shape: number[];
  /** ggml's number. */
  type: number;
  /** In the file. */
  start: number;
}

export interface GgufHeader {
  metadata: ReadonlyMap<string, MetadataItem>;
  tensors: ReadonlyMap<string, TensorEntry>;
}

/** Throws `setup_failed` for a file that is not there or no GGUF. */
export async function readGgufHeader(file: string): Promise<GgufHeader> {
  try {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      for (let length = Math.min(size, FIRST_READ_BYTES); ; length = Math.min(size, length * 4)) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
        const header = parse(buffer.subarray(0, bytesRead));
        if (header !== 'longer') return header;
        if (length === size || length >= MAX_HEADER_BYTES) throw new Error('it ends inside its header');
      }
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ApprenticeError(
      'setup_failed',
      `${file} cannot be read as GGUF: ${why}.`,
      'Name a GGUF file of the very model in the model folder.',
      { cause },
    );
  }
}

/** ggml's names by its numbers. */
const TYPE_NAMES = new Map<number, string>([
  ...[...Object.entries(GGML_TYPE).map(([name, number]) => [number, name] as const)],
  ...([
    [2, 'Q4_0'],
    [3, 'Q4_1'],
    [6, 'Q5_0'],
    [7, 'Q5_1'],
    [8, 'Q8_0'],
  ] as const),
  ...([
    [10, 'Q2_K'],
    [11, 'Q3_K'],
    [12, 'Q4_K'],
    [13, 'Q5_K'],
    [14, 'Q6_K'],
  ] as const),
]);

/** Of most of the weights, by one of them. */
export function weightType({ tensors }: GgufHeader): string {
  const type = tensors.get('blk.0.ffn_up.weight')?.type ?? -1;
  return TYPE_NAMES.get(type) ?? `ggml type ${type}`;
}

/** A small F32 tensor. Throws an Error where it is not there or of another type. */
export async function readF32(file: string, { tensors }: GgufHeader, name: string): Promise<Float32Array> {
  const entry = tensors.get(name);
  if (entry?.type !== GGML_TYPE.F32) throw new Error(`${name} is not there as F32`);
  const length = entry.shape.reduce((product, size) => product * size, 4);
  const handle = await open(file);
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, entry.start);
    if (bytesRead < length) throw new Error(`it ends inside ${name}`);
    return new Float32Array(bytes.buffer);
  } finally {
    await handle.close();
  }
}

function parse(bytes: Buffer): GgufHeader | 'longer' {
  const reader = new Reader(bytes);
  try {
    if (reader.bytes(4).toString('latin1') !== 'GGUF') throw new Error('it does not begin as one');
    const version = reader.u32();
    if (version !== 2 && version !== 3) throw new Error(`its version is ${version}`);
    const [tensorCount, itemCount] = [reader.u64(), reader.u64()];
    const metadata = new Map<string, MetadataItem>();
    for (let index = 0; index < itemCount; index += 1) {
      const key = reader.text();
      metadata.set(key, reader.item(reader.u32()));
    }
    const tensors = new Map<string, TensorEntry>();
    for (let index = 0; index < tensorCount; index += 1) {
      const name = reader.text();
      const shape = Array.from({ length: reader.u32() }, () => reader.u64()).reverse();
      tensors.set(name, { shape, type: reader.u32(), start: reader.u64() });
    }
    const alignment = metadata.get('general.alignment');
    const gap = typeof alignment === 'number' ? -reader.at & (alignment - 1) : padding(reader.at);
    for (const entry of tensors.values()) entry.start += reader.at + gap;
    return { metadata, tensors };
  } catch (error) {
    if (error === reader.end) return 'longer';
    throw error;
  }
}

class Reader {
  /** Thrown where the bytes do not reach. */
  readonly end: Error = new Error('it ends inside its header');
  at = 0;
  readonly #all: Buffer;

  constructor(all: Buffer) {
    this.#all = all;
  }

  bytes(length: number): Buffer {
    if (this.at + length > this.#all.length) throw this.end;
    this.at += length;
    return this.#all.subarray(this.at - length, this.at);
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  u64(): number {
    return Number(this.bytes(8).readBigUInt64LE());
  }

  text(): string {
    return this.bytes(this.u64()).toString('utf8');
  }

  item(type: number): MetadataItem {
    switch (type) {
      case 0:
        return this.bytes(1).readUInt8();
      case 1:
        return this.bytes(1).readInt8();
      case 2:
        return this.bytes(2).readUInt16LE();
      case 3:
        return this.bytes(2).readInt16LE();
      case 4:
        return this.u32();
      case 5:
        return this.bytes(4).readInt32LE();
      case 6:
        return this.bytes(4).readFloatLE();
      case 7:
        return this.bytes(1).readUInt8() !== 0;
      case 8:
        return this.text();
      case 9: {
        const inner = this.u32();
        return Array.from({ length: this.u64() }, () => this.item(inner));
      }
      case 10:
        return this.u64();
      case 11:
        return Number(this.bytes(8).readBigInt64LE());
      case 12:
        return this.bytes(8).readDoubleLE();
      default:
        throw new Error(`it holds a value of an unknown type ${type}`);
    }
  }
}
