/** What every trainer owes its caller: batch folder in, published version out, each batch once. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ApprenticeError, type ErrorCode } from '../../agent-server/protocol/errors.ts';
import { TrainingRuns } from '../../gpu-worker/trainer/runs.ts';
import type { OnProgress, TrainBackend } from '../../gpu-worker/trainer/trainer.ts';
import type { Form } from '../../gpu-worker/weights/forms.ts';
import { Weights } from '../../gpu-worker/weights/weights.ts';
import { writeBatch } from '../fixtures/batches.ts';

/** A backend under test, with the means to end its process as `kill -9` would. */
export interface Subject {
  backend: TrainBackend;
  /** What it writes. */
  form: Form;
  kill(): void;
  dispose(): Promise<void>;
}

const silent: OnProgress = () => {};

/** The place of the configuration among the files, which are in the order of their names. */
const WRITTEN: Record<Form['kind'], [number, string[]]> = {
  adapter: [0, ['adapter_config.json', 'adapter_model.safetensors', 'lineage.json']],
  full: [
    1,
    [
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'lineage.json',
      'model-00001-of-00001.safetensors',
      'model.safetensors.index.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ],
  ],
};

export function trainerContract(name: string, make: () => Promise<Subject>): void {
  suite(`trainer contract: ${name}`, { timeout: 300_000 }, () => {
    let subject: Subject;
    const homes: string[] = [];
    before(async () => {
      subject = await make();
    });
    after(async () => {
      await subject.dispose();
      for (const home of homes) await rm(home, { recursive: true, force: true });
    });

    /** A trainer over an empty home folder, sharing the subject's backend. */
    const open = async () => {
      const home = await mkdtemp(join(tmpdir(), 'apprentice-trainer-'));
      homes.push(home);
      const weights = new Weights(home, 'base@test', subject.form);
      await weights.open();
      return { home, weights, trainer: new TrainingRuns(weights, subject.backend, () => {}) };
    };

    test('TRAIN-1: a batch becomes a verified folder with its lineage, and the next one goes on from it', async () => {
      const { home, weights, trainer } = await open();
      const first = await writeBatch(home);
      const phases: string[] = [];
      const made = await trainer.train(first.manifest.batchId, first.folder, (phase) => phases.push(phase));
      assert.deepEqual([...new Set(phases)], ['loading', 'training', 'saving']);
      const [configuration, files] = WRITTEN[subject.form.kind];
      assert.deepEqual((await readdir(made.folder)).sort(), files);
      const configured: unknown = JSON.parse(
        await readFile(join(made.folder, files[configuration] ?? ''), 'utf8'),
      );
      if (subject.form.kind === 'adapter') assert.equal(Object(configured).r, 4);
      else assert.equal(Object(configured).dtype, 'float32');
      const lineage = await weights.verify(made.folder);
      assert.deepEqual(lineage, made.lineage);
      assert.equal(lineage.version, 'policy@v1');
      assert.equal(lineage.parent, 'policy@v0');
      assert.deepEqual(
        lineage.sampleIds,
        first.manifest.rows.map((row) => row.sampleId),
      );
      assert.equal(lineage.metrics.trainedTokens, 9);
      assert.equal(lineage.metrics.tokens, 45);

      const second = await writeBatch(home, { number: 2 });
      const next = await trainer.train(second.manifest.batchId, second.folder, silent);
      // TRAIN-2: both batches demonstrate the same tokens, so one step must have made them likelier.
      assert.ok(next.lineage.metrics.loss < lineage.metrics.loss);
      assert.deepEqual(await weights.versions(), ['policy@v1', 'policy@v2']);
    });

    test('TRAIN-3: a batch is trained once, however often it is sent', async () => {
      const { home, weights, trainer } = await open();
      const { folder, manifest } = await writeBatch(home);
      const [one, joined] = await Promise.all([
        trainer.train(manifest.batchId, folder, silent),
        trainer.train(manifest.batchId, folder, silent),
      ]);
      assert.equal(joined, one);
      const again = new TrainingRuns(weights, subject.backend, () => {});
      const answered = await again.train(manifest.batchId, folder, () => assert.fail('it is trained again'));
      assert.deepEqual(answered, one);
    });

    test('TRAIN-4: a backend killed in the middle of a run costs time and nothing else', async () => {
      const undisturbed = await open();
      const batch = await writeBatch(undisturbed.home);
      const expected = await undisturbed.trainer.train(batch.manifest.batchId, batch.folder, silent);

      const disturbed = await open();
      let kills = 0;
      const made = await disturbed.trainer.train(batch.manifest.batchId, batch.folder, (phase) => {
        if (phase !== 'training' || kills > 0) return;
        kills += 1;
        subject.kill();
      });
      assert.equal(kills, 1);
      assert.equal(made.lineage.adapterSha256, expected.lineage.adapterSha256);
      assert.deepEqual(await readdir(join(disturbed.home, 'adapters')), ['policy@v1']);
      assert.deepEqual(await readdir(join(disturbed.home, 'optimizer')), [
        subject.form.optimizerName('policy@v1'),
      ]);
    });

    test('TRAIN-5: a step that is not finite is rejected and leaves nothing; the next batch is trained', async () => {
      const { home, trainer } = await open();
      const bad = await writeBatch(home, { advantage: Number.NaN });
      await refused(trainer.train(bad.manifest.batchId, bad.folder, silent), 'step_rejected');
      assert.deepEqual(await readdir(join(home, 'adapters')), []);
      assert.deepEqual(await readdir(join(home, 'optimizer')), []);
      const good = await writeBatch(home);
      await trainer.train(good.manifest.batchId, good.folder, silent);
      assert.deepEqual(await readdir(join(home, 'adapters')), ['policy@v1']);
    });

    test('TRAIN-6: a tampered batch is refused', async () => {
      const { home, trainer } = await open();
      const { folder, manifest } = await writeBatch(home);
      await appendFile(join(folder, 'batch.safetensors'), 'x');
      await refused(trainer.train(manifest.batchId, folder, silent), 'batch_tampered');
    });

    test('TRAIN-7: a cancelled batch publishes nothing and can be sent again', async () => {
      const { home, weights, trainer } = await open();
      const { folder, manifest } = await writeBatch(home);
      const cancelled = trainer.train(manifest.batchId, folder, () => trainer.cancel(manifest.batchId));
      await refused(cancelled, 'aborted');
      assert.deepEqual(await weights.versions(), []);
      const made = await trainer.train(manifest.batchId, folder, silent);
      assert.equal(made.lineage.version, 'policy@v1');
    });
  });
}

async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof ApprenticeError && error.code === code);
}
