/** Adapters on disk: published whole, verified before use, leftovers cleared. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, cp, mkdir, mkdtemp, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { ApprenticeError, type ErrorCode } from '../../../agent-server/protocol/errors.ts';
import { BatchId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { BATCH_FORMAT } from '../../../agent-server/protocol/training.ts';
import { fullForm } from '../../../gpu-worker/weights/forms.ts';
import { type Unfinished, Weights } from '../../../gpu-worker/weights/weights.ts';

const batchOf = (n: number) => BatchId.parse(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);

suite('weights', () => {
  let home: string;
  let weights: Weights;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'apprentice-weights-'));
    weights = new Weights(home, 'base@1');
    await weights.open();
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  /** Publishes `policy@v<n>` with a few bytes for tensors. */
  const make = async (n: number) => {
    const unfinished = await weights.begin();
    await writeFile(join(unfinished.adapterFolder, 'adapter_model.safetensors'), `weights ${n}`);
    await writeFile(join(unfinished.adapterFolder, 'adapter_config.json'), '{}');
    await writeFile(unfinished.optimizerFile, `moments ${n}`);
    return await publish(n, unfinished);
  };
  /** As `make`, with all weights; moments are a folder. */
  const makeFull = async (n: number) => {
    const unfinished = await weights.begin();
    for (const name of ['config.json', 'model.safetensors.index.json', 'model-00001-of-00001.safetensors'])
      await writeFile(join(unfinished.adapterFolder, name), `${name} ${n}`);
    await mkdir(unfinished.optimizerFile);
    await writeFile(join(unfinished.optimizerFile, '__0_0.distcp'), `moments ${n}`);
    return await publish(n, unfinished);
  };
  const publish = async (n: number, unfinished: Unfinished) => {
    return await weights.publish(unfinished, {
      format: BATCH_FORMAT,
      version: weightVersion(n),
      parent: weightVersion(n - 1),
      batchId: batchOf(n),
      sampleIds: [],
      hyperparameters: LearningConfig.parse({}).hyperparameters,
      createdAt: '2026-01-01T00:00:00.000Z',
      metrics: {
        loss: 1,
        gradNorm: 1,
        logprobFall: 0,
        klToBase: 0,
        steps: [],
        trainedTokens: 1,
        tokens: 1,
        seconds: 1,
      },
    });
  };
  const refused = (folder: string, code: ErrorCode) =>
    assert.rejects(
      weights.verify(folder),
      (error) => error instanceof ApprenticeError && error.code === code,
    );

  test('WEIGHTS-1: versions are listed in order, found by batch, and the newest two keep their moments', async () => {
    for (let n = 1; n <= 10; n += 1) await make(n);
    assert.deepEqual((await weights.versions()).slice(-3), ['policy@v8', 'policy@v9', 'policy@v10']);
    assert.equal(await weights.ofBatch(batchOf(3)), 'policy@v3');
    assert.equal(await weights.ofBatch(batchOf(99)), null);
    assert.equal(await weights.optimizerFile(weightVersion(8)), null);
    assert.deepEqual((await readdir(join(home, 'optimizer'))).sort(), [
      'policy@v10.safetensors',
      'policy@v9.safetensors',
    ]);
  });

  test('WEIGHTS-2: what a crash left unfinished is cleared at the next start, versions stay', async () => {
    await make(1);
    const crashed = await weights.begin();
    await writeFile(crashed.optimizerFile, 'half');
    // A crash between the two renames of a publication: moments without their version.
    await writeFile(join(home, 'optimizer', 'policy@v2.safetensors'), 'moments');
    assert.deepEqual(await weights.versions(), ['policy@v1']);
    await new Weights(home, 'base@1').open();
    assert.deepEqual(await readdir(join(home, 'adapters')), ['policy@v1']);
    assert.deepEqual(await readdir(join(home, 'optimizer')), ['policy@v1.safetensors']);
  });

  test('WEIGHTS-3: only a complete, untouched folder under adapters/ verifies', async () => {
    for (const n of [1, 2, 3, 4]) await make(n);
    const folder = (n: number) => weights.folder(weightVersion(n));
    assert.equal((await weights.verify(folder(1))).version, 'policy@v1');
    await appendFile(join(folder(1), 'adapter_model.safetensors'), '!');
    await refused(folder(1), 'adapter_invalid');
    await unlink(join(folder(2), 'adapter_config.json'));
    await refused(folder(2), 'adapter_invalid');
    await rename(folder(3), folder(5));
    await refused(folder(5), 'adapter_invalid');
    await mkdir(join(home, 'elsewhere'));
    await cp(folder(4), join(home, 'elsewhere', 'policy@v4'), { recursive: true });
    await refused(join(home, 'elsewhere', 'policy@v4'), 'adapter_invalid');
    await refused(join(folder(4), '..', '..', 'elsewhere', 'policy@v4'), 'adapter_invalid');
    await refused(folder(9), 'adapter_invalid');
  });

  test('WEIGHTS-4: an adapter of another base model is refused', async () => {
    await make(1);
    weights = new Weights(home, 'base@2');
    await refused(weights.folder(weightVersion(1)), 'base_model_mismatch');
  });

  test('WEIGHTS-6: of versions with all weights four stay, those in the engine and the newest one’s parent among them', async () => {
    const inUse = [weightVersion(2)];
    weights = new Weights(home, 'base@1', fullForm(), () => inUse);
    for (let n = 1; n <= 7; n += 1) await makeFull(n);
    assert.deepEqual(await weights.versions(), ['policy@v2', 'policy@v5', 'policy@v6', 'policy@v7']);
    assert.deepEqual((await readdir(join(home, 'optimizer'))).sort(), [
      'policy@v6.checkpoint',
      'policy@v7.checkpoint',
    ]);
  });

  test('WEIGHTS-6: every file of a version with all weights is vouched for', async () => {
    weights = new Weights(home, 'base@1', fullForm());
    const { adapterSha256 } = await makeFull(1);
    const folder = weights.folder(weightVersion(1));
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
    const sums = ['config.json', 'model-00001-of-00001.safetensors', 'model.safetensors.index.json'].map(
      (name) => `${sha256(readFileSync(join(folder, name)))}  ${name}\n`,
    );
    assert.equal(sha256(sums.join('')), adapterSha256, 'as sha256sum prints it');
    assert.equal((await weights.verify(folder)).weights, 'full');
    await appendFile(join(folder, 'model-00001-of-00001.safetensors'), '!');
    await refused(folder, 'adapter_invalid');
    await makeFull(2);
    await writeFile(join(weights.folder(weightVersion(2)), 'one-more.safetensors'), '');
    await refused(weights.folder(weightVersion(2)), 'adapter_invalid');
    await makeFull(3);
    await unlink(join(weights.folder(weightVersion(3)), 'config.json'));
    await refused(weights.folder(weightVersion(3)), 'adapter_invalid');
    await makeFull(4);
    weights = new Weights(home, 'base@1');
    await refused(weights.folder(weightVersion(4)), 'adapter_invalid');
  });

  test('WEIGHTS-5: one broken folder does not hide the others from a search by batch', async () => {
    for (const n of [1, 2]) await make(n);
    await writeFile(join(weights.folder(weightVersion(2)), 'lineage.json'), '{');
    assert.equal(await weights.ofBatch(batchOf(1)), 'policy@v1');
  });
});
