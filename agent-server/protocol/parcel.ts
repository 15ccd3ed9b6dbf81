/**
 * Parcels on the link: the files of a batch or of a version, told by name, size and sha256, and read in chunks. A chunk
 * is a binary frame: 4 bytes with the id of the read (unsigned, big-endian), then the bytes.
 */
import { z } from 'zod';
import { ErrorCode } from './errors.ts';
import { BatchId, WeightVersion } from './ids.ts';

export const MAX_CHUNK_BYTES = 262_144;
/** An adapter of rank 256 on a model of 70 billion parameters is less. */
export const MAX_PARCEL_BYTES: number = 4 * 2 ** 30;
const CHUNK_HEADER_BYTES = 4;
/** No frame of either side is longer, chunks and text alike. */
export const MAX_FRAME_BYTES: number = 2 * MAX_CHUNK_BYTES;

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The only names there are: none of them is ever a path. */
export const FileName = z.enum([
  'manifest.json',
  'batch.safetensors',
  'adapter_model.safetensors',
  'adapter_config.json',
  'lineage.json',
]);
export type FileName = z.infer<typeof FileName>;

export const ParcelFile = z.strictObject({
  name: FileName,
  sizeBytes: z.number().int().min(0).max(MAX_PARCEL_BYTES),
  sha256: Sha256,
});
export type ParcelFile = z.infer<typeof ParcelFile>;

export const ParcelFiles = z
  .array(ParcelFile)
  .min(1)
  .max(FileName.options.length)
  .refine((files) => new Set(files.map(({ name }) => name)).size === files.length, 'a file stands twice')
  .refine((files) => parcelBytes(files) <= MAX_PARCEL_BYTES, `more than ${MAX_PARCEL_BYTES} bytes`);
export type ParcelFiles = z.infer<typeof ParcelFiles>;

/** What a parcel is: a batch's folder or a version's. */
export const ParcelName = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('batch'), batchId: BatchId }),
  z.object({ kind: z.literal('version'), version: WeightVersion }),
]);
export type ParcelName = z.infer<typeof ParcelName>;

/** Either side asks the other for a piece of what that has offered; answered by a chunk or by `unread`. */
export const ReadRequest = z.object({
  type: z.literal('read'),
  id: z.number().int().min(0).max(0xffff_ffff),
  parcel: ParcelName,
  file: FileName,
  offset: z.number().int().min(0).max(MAX_PARCEL_BYTES),
  length: z.number().int().min(1).max(MAX_CHUNK_BYTES),
});
export type ReadRequest = z.infer<typeof ReadRequest>;

export const ReadRefusal = z.object({
  type: z.literal('unread'),
  id: z.number().int().min(0).max(0xffff_ffff),
  code: ErrorCode,
  message: z.string().max(2_000),
});
export type ReadRefusal = z.infer<typeof ReadRefusal>;

export function parcelBytes(files: readonly ParcelFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** One word for a parcel, good as a file's name. */
export function parcelKey(parcel: ParcelName): string {
  return parcel.kind === 'batch' ? `batch-${parcel.batchId}` : `version-${parcel.version}`;
}

/** The frame of a chunk. */
export function chunkFrame(id: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(CHUNK_HEADER_BYTES + bytes.length);
  new DataView(frame.buffer).setUint32(0, id);
  frame.set(bytes, CHUNK_HEADER_BYTES);
  return frame;
}

/** Undefined for a frame that is none. */
export function parseChunk(frame: Uint8Array): { id: number; bytes: Uint8Array } | undefined {
  if (frame.length < CHUNK_HEADER_BYTES) return undefined;
  const id = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
  return { id, bytes: frame.subarray(CHUNK_HEADER_BYTES) };
}
