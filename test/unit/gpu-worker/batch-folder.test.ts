/** Batch folders that break the contract are named for what they break. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Tensor } from '../../../agent-server/learning/tensors.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { readBatchFolder } from '../../../gpu-worker/trainer/batch-folder.ts';
import { writeBatch } from '../../fixtures/batches.ts';

type Alter = (tensors: Record<string, Tensor>) => void;

suite('batch folder', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'apprentice-batch-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const invalid = (folder: string, message: RegExp) =>
    assert.rejects(
      readBatchFolder(folder),
      (error) =>
        error instanceof ApprenticeError && error.code === 'batch_invalid' && message.test(error.message),
    );

  test('BATCH-1: a batch that keeps the contract is read', async () => {
    const { folder, manifest } = await writeBatch(root);
    assert.deepEqual(await readBatchFolder(folder), manifest);
  });

  const broken: [string, Alter, RegExp][] = [
    ['a missing tensor', (t) => delete t['loss_mask'], /loss_mask is missing/],
    ['an unknown tensor', (t) => Object.assign(t, { rewards: t['ce_weights'] }), /rewards is not in/],
    ['a wrong type', (t) => Object.assign(t, { loss_mask: t['ce_weights'] }), /loss_mask is F32 and not U8/],
    [
      'a wrong rank',
      (t) => Object.assign(t, { old_logprobs: t['support_logprobs'] }),
      /old_logprobs has shape/,
    ],
    [
      'rows that do not match',
      (t) => Object.assign(t, { loss_mask: { dtype: 'U8', shape: [3], data: new Uint8Array(3) } }),
      /loss_mask has 3 for R, which is 9/,
    ],
    [
      'an empty response',
      (t) => Object.assign(t, { response_starts: i64([23n, 40n]) }),
      /sample 0 needs a prompt and a response/,
    ],
    [
      'offsets past the end',
      (t) => Object.assign(t, { sample_offsets: i64([0n, 23n, 46n]) }),
      /do not run from 0/,
    ],
  ];
  for (const [what, alter, message] of broken) {
    test(`BATCH-2: ${what} is refused`, async () => {
      const { folder } = await writeBatch(root, { alter });
      await invalid(folder, message);
    });
  }

  test('BATCH-3: a folder without tensors, or with a manifest of unknown fields, is refused', async () => {
    const { folder, manifest } = await writeBatch(root);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, algorithm: 'opd' }));
    await invalid(folder, /algorithm/);
    await writeFile(join(folder, 'manifest.json'), 'no');
    await invalid(folder, /not JSON/);
    await unlink(join(folder, 'batch.safetensors'));
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    await invalid(folder, /no readable batch.safetensors/);
  });
});

function i64(values: bigint[]): Tensor {
  return { dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values) };
}
