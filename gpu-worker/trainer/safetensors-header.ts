/** The index of a safetensors file, and its 64-bit integers. The rest of the tensors is Python's to read. */
import { z } from 'zod';

const ITEM_BYTES = { I64: 8, I32: 4, F32: 4, U8: 1 } as const;
const HEADER_LENGTH_BYTES = 8;

const HeaderEntry = z.object({
  dtype: z.enum(['I64', 'I32', 'F32', 'U8']),
  shape: z.array(z.number().int().min(0)),
  data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
});

/** A tensor's type, shape and place among the file's bytes. */
export interface Entry {
  dtype: keyof typeof ITEM_BYTES;
  shape: number[];
  start: number;
  end: number;
}

/** Every tensor by name. Throws an Error that says what is wrong with the file. */
export function readTensorEntries(file: Buffer): Map<string, Entry> {
  if (file.length < HEADER_LENGTH_BYTES) throw new Error('batch.safetensors is shorter than its header');
  const headerBytes = Number(file.readBigUInt64LE(0));
  const dataStart = HEADER_LENGTH_BYTES + headerBytes;
  if (dataStart > file.length) throw new Error('batch.safetensors ends inside its header');
  const header = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(file.toString('utf8', HEADER_LENGTH_BYTES, dataStart)));
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets } = HeaderEntry.parse(value);
    const [start, end] = data_offsets;
    const wantedBytes = shape.reduce((product, size) => product * size, ITEM_BYTES[dtype]);
    if (end - start !== wantedBytes || dataStart + end > file.length) {
      throw new Error(`tensor ${name} does not have the bytes that its shape asks for`);
    }
    entries.set(name, { dtype, shape, start: dataStart + start, end: dataStart + end });
  }
  return entries;
}

/** The values of an I64 tensor, as far as they are exact as numbers; offsets in a file always are. */
export function readInt64(file: Buffer, entry: Entry | undefined): number[] {
  if (!entry) return [];
  const values: number[] = [];
  for (let at = entry.start; at < entry.end; at += ITEM_BYTES.I64)
    values.push(Number(file.readBigInt64LE(at)));
  return values;
}
