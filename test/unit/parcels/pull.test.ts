/** Parcels pulled in chunks: gone on with after a cut, never whole with a byte that is not theirs, swept when given up. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import {
  describeFiles,
  pull,
  type ReadChunk,
  removeHalves,
  sweepHalves,
} from '../../../agent-server/parcels/pull.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BatchId } from '../../../agent-server/protocol/ids.ts';
import { MAX_CHUNK_BYTES, ParcelFiles, ReadRequest } from '../../../agent-server/protocol/parcel.ts';
import { Deliveries } from '../../../gpu-worker/link/deliveries.ts';
import { Weights } from '../../../gpu-worker/weights/weights.ts';
import { temporaryFolder } from '../../fixtures/home.ts';

const NAMES = ['manifest.json', 'batch.safetensors'] as const;
const SIZE_BYTES = 5 * MAX_CHUNK_BYTES + 17;
const batchId = BatchId.parse('6f2e9a50-52ad-4b0c-9d6c-6a3a3b0a6f11');
const parcel = { kind: 'batch', batchId } as const;
const never = new AbortController().signal;

let source: string;
let root: string;
let reads: { file: string; offset: number }[];
const read: ReadChunk = async (_parcel, file, offset, length) => {
  reads.push({ file, offset });
  return readFileSync(join(source, file)).subarray(offset, offset + length);
};

beforeEach(() => {
  source = temporaryFolder();
  root = temporaryFolder();
  reads = [];
  writeFileSync(join(source, 'manifest.json'), '{}');
  writeFileSync(
    join(source, 'batch.safetensors'),
    Buffer.from(Uint8Array.from({ length: SIZE_BYTES }, (_, i) => i % 251)),
  );
});

const describe = () => describeFiles(source, NAMES);

test('PARCEL-1: a parcel arrives whole, and after a cut goes on from what is there', async () => {
  const files = await describe();
  const cut: ReadChunk = async (...piece) => {
    if (piece[2] >= 3 * MAX_CHUNK_BYTES) throw new ApprenticeError('worker_unavailable', 'cut', '');
    return read(...piece);
  };
  await assert.rejects(pull({ root, parcel, files, read: cut, signal: never }), {
    code: 'worker_unavailable',
  });
  reads = [];
  const folder = await pull({ root, parcel, files, read, signal: never });
  assert.deepEqual(
    reads.map(({ offset }) => offset / MAX_CHUNK_BYTES),
    [3, 4, 5],
    'nothing that has come is asked for again',
  );
  for (const name of NAMES)
    assert.deepEqual(readFileSync(join(folder, name)), readFileSync(join(source, name)));
});

test('PARCEL-2: a byte that is not the sender’s makes it begin anew, and never counts', async () => {
  const files = await describe();
  const wrong: ReadChunk = async (...piece) => {
    const bytes = Uint8Array.from(await read(...piece));
    if (piece[2] === MAX_CHUNK_BYTES) bytes[5] = (bytes[5] ?? 0) ^ 1;
    return bytes;
  };
  await assert.rejects(pull({ root, parcel, files, read: wrong, signal: never }), {
    code: 'transfer_failed',
  });
  assert.deepEqual(readdirSync(root), []);
  // A half that something else wrote into, too.
  const folder = await pull({ root, parcel, files, read, signal: never });
  truncateSync(join(folder, 'batch.safetensors'), 10);
  writeFileSync(join(folder, 'batch.safetensors'), 'no such beginning');
  await assert.rejects(pull({ root, parcel, files, read, signal: never }), { code: 'transfer_failed' });
  await pull({ root, parcel, files, read, signal: never });
});

test('PARCEL-3: halves of other content go when another is pulled, all when it is given up, and old ones by themselves', async () => {
  const files = await describe();
  const none: ReadChunk = async () => {
    throw new ApprenticeError('worker_unavailable', 'cut', '');
  };
  await assert.rejects(pull({ root, parcel, files, read: none, signal: never }));
  writeFileSync(join(source, 'manifest.json'), '{"built": "again"}');
  await assert.rejects(pull({ root, parcel, files: await describe(), read: none, signal: never }));
  assert.equal(readdirSync(root).length, 1);
  await removeHalves(root, parcel);
  assert.deepEqual(readdirSync(root), []);

  await assert.rejects(pull({ root, parcel, files, read: none, signal: never }));
  mkdirSync(join(root, 'version-policy@v3.0123456789'));
  const [half] = readdirSync(root);
  assert.ok(half);
  const old = new Date(Date.now() - 3_600_000);
  for (const path of [
    join(root, half),
    ...readdirSync(join(root, half)).map((name) => join(root, half, name)),
  ])
    utimesSync(path, old, old);
  await sweepHalves(root, Date.now(), 1_800_000);
  assert.deepEqual(readdirSync(root), ['version-policy@v3.0123456789']);
});

test('PARCEL-4: bounds: names are these alone, sizes have an end, and more than 4 deliveries at once are refused', async () => {
  const file = { name: 'manifest.json', sizeBytes: 1, sha256: '0'.repeat(64) };
  assert.ok(ParcelFiles.safeParse([file]).success);
  for (const files of [
    [],
    [file, file],
    [{ ...file, name: '../manifest.json' }],
    [{ ...file, sizeBytes: 2 ** 33 }],
    [{ ...file, sizeBytes: -1 }],
    [
      { ...file, sizeBytes: 2 ** 32 },
      { ...file, name: 'lineage.json', sizeBytes: 1 },
    ],
  ])
    assert.equal(ParcelFiles.safeParse(files).success, false, JSON.stringify(files));
  const asked = { type: 'read', id: 1, parcel, file: 'manifest.json', offset: 0, length: MAX_CHUNK_BYTES };
  assert.ok(ReadRequest.safeParse(asked).success);
  assert.equal(ReadRequest.safeParse({ ...asked, length: MAX_CHUNK_BYTES + 1 }).success, false);

  const home = temporaryFolder();
  const weights = new Weights(home, 'base@1');
  await weights.open();
  const deliveries = new Deliveries(home, weights);
  await deliveries.open();
  const files = await describe();
  const gone = new AbortController();
  const stuck: ReadChunk = () =>
    new Promise((_, reject) => gone.signal.addEventListener('abort', () => reject(gone.signal.reason)));
  const begun = Array.from({ length: 4 }, () =>
    deliveries.batch(BatchId.parse(crypto.randomUUID()), files, stuck, gone.signal),
  );
  const ends = Promise.allSettled(begun);
  await assert.rejects(deliveries.batch(batchId, files, read, never), { code: 'queue_full' });
  gone.abort(new ApprenticeError('worker_unavailable', 'cut', ''));
  await ends;
  const folder = await deliveries.batch(batchId, files, read, never);
  assert.equal(statSync(join(folder, 'batch.safetensors')).size, SIZE_BYTES);
  deliveries.close();
});
