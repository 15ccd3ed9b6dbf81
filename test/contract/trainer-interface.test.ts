/**
 * What the train loop relies on in a Trainer: the link to a gpu-worker (its real port, batch checks and publishing,
 * over the fake backend), and the fake that the loop's own tests use.
 */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Trainer } from '../../agent-server/loops/worker-link.ts';
import { BatchId } from '../../agent-server/protocol/ids.ts';
import { PublishedBatches } from '../fakes/published-batches.ts';
import { writeBatch } from '../fixtures/batches.ts';
import { KEY, linkTo, openWorker } from '../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../fixtures/home.ts';

const never = new AbortController().signal;

interface Opened {
  trainer: Trainer;
  /** Batches trained so far. */
  trained(): number;
  close(): Promise<void>;
}

function trainerInterface(name: string, open: (home: string) => Promise<Opened>): void {
  suite(`Trainer: ${name}`, { timeout: 60_000 }, () => {
    const home = temporaryFolder();
    let opened: Opened;
    before(async () => {
      opened = await open(home);
    });
    after(() => opened.close());

    test('a batch makes its version, and says which, where and how', async () => {
      const { folder, manifest } = await writeBatch(home);
      const trained = await opened.trainer.train(manifest.batchId, folder, never);
      assert.equal(trained.version, manifest.version);
      assert.ok(trained.folder.endsWith(manifest.version));
      assert.match(trained.adapterSha256, /^[0-9a-f]{64}$/);
      assert.ok(Number.isFinite(trained.metrics.loss) && trained.metrics.trainedTokens > 0);
    });

    test('TRAIN-3: a batch sent again is trained once', async () => {
      const { folder, manifest } = await writeBatch(home, { number: 2 });
      const before = opened.trained();
      const send = () => opened.trainer.train(manifest.batchId, folder, never);
      assert.deepEqual(await send(), await send());
      assert.equal(opened.trained(), before + 1);
    });

    test('TRAIN-6: a batch that was changed is refused and makes nothing', async () => {
      const { folder, manifest } = await writeBatch(home, { number: 3 });
      await appendFile(join(folder, 'batch.safetensors'), 'x');
      const before = opened.trained();
      await assert.rejects(opened.trainer.train(manifest.batchId, folder, never), { code: 'batch_tampered' });
      assert.equal(opened.trained(), before);
    });

    test('who has given up waiting hears `aborted`', async () => {
      const batchId = BatchId.parse(crypto.randomUUID());
      await assert.rejects(opened.trainer.train(batchId, join(home, 'none'), AbortSignal.abort()), {
        code: 'aborted',
      });
    });
  });
}

trainerInterface('the link to a gpu-worker', async (home) => {
  const worker = await openWorker(join(home, 'worker'));
  const link = linkTo(() => ({ url: worker.url, key: KEY }), home);
  link.connect();
  const close = async () => {
    link.close();
    await worker.close();
  };
  return { trainer: link, trained: () => worker.backend.started, close };
});

trainerInterface('the fake of the train loop', async () => {
  const trainer = new PublishedBatches();
  return { trainer, trained: () => trainer.trained.length, close: async () => undefined };
});
