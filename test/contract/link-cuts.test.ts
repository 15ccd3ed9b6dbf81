/** The line between agent-server and gpu-worker cut at every frame of the exchange: one version, the same weights. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import type { Trained } from '../../agent-server/loops/worker-link.ts';
import type { BatchManifest } from '../../agent-server/protocol/training.ts';
import { ADAPTER_FORM } from '../../gpu-worker/weights/forms.ts';
import { padBatch, writeBatch } from '../fixtures/batches.ts';
import { cuttingProxy } from '../fixtures/cutting-proxy.ts';
import { KEY, linkTo, openWorker } from '../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../fixtures/home.ts';

/** Several chunks a file, so that a cut falls into the middle of each. */
const PADDING_BYTES = 600_000;
const AT_ONCE = 8;
const NEVER = Number.MAX_SAFE_INTEGER;

suite('a network cut', { timeout: 300_000 }, () => {
  /** An agent-server's folder with a version and a batch that goes on from it. */
  const sender = temporaryFolder();
  let batch: { folder: string; manifest: BatchManifest };
  let expected: Trained;

  /** A worker that has lost the parent, reached through a line that is cut at frame `at`. */
  const exchange = async (at: number, when: 'before' | 'after') => {
    const home = temporaryFolder();
    const own = temporaryFolder();
    await cp(join(sender, 'adapters'), join(own, 'adapters'), { recursive: true });
    const worker = await openWorker(home, { paddingBytes: PADDING_BYTES });
    const proxy = await cuttingProxy(worker.url, at, when);
    const link = linkTo(() => ({ url: proxy.url, key: KEY }), own);
    link.connect();
    try {
      const trained = await link.train(batch.manifest.batchId, batch.folder, AbortSignal.timeout(60_000));
      return {
        trained,
        frames: proxy.frames(),
        cuts: proxy.cuts(),
        steps: worker.backend.started,
        versions: await worker.weights.versions(),
        weights: await readFile(join(trained.folder, 'adapter_model.safetensors')),
        left: [
          ...(await readdir(join(home, 'incoming'))),
          ...(await readdir(join(home, 'received'))),
          ...(await readdir(join(own, 'adapters', '.incoming'))),
        ],
        files: (await readdir(trained.folder)).sort(),
      };
    } finally {
      link.close();
      proxy.close();
      await worker.close();
      await rm(home, { recursive: true });
      await rm(own, { recursive: true });
    }
  };

  before(async () => {
    const first = await writeBatch(sender);
    const worker = await openWorker(join(sender, 'worker'), { paddingBytes: PADDING_BYTES });
    const link = linkTo(() => ({ url: worker.url, key: KEY }), sender);
    link.connect();
    await link.train(first.manifest.batchId, first.folder, AbortSignal.timeout(30_000));
    batch = await padBatch(await writeBatch(sender, { number: 2 }), PADDING_BYTES);
    link.close();
    await worker.close();
  });

  for (const when of ['before', 'after'] as const)
    test(`CUT-1: ${when} any frame, it ends with one version of the same sha256, trained once`, async () => {
      const whole = await exchange(NEVER, when);
      expected = whole.trained;
      assert.ok(whole.frames > 30, `${whole.frames} frames`);
      assert.equal(whole.cuts, 0);
      const places = Array.from({ length: whole.frames }, (_, index) => index + 1);
      while (places.length > 0) {
        const results = await Promise.all(
          places.splice(0, AT_ONCE).map(async (at) => ({ at, ...(await exchange(at, when)) })),
        );
        for (const { at, trained, cuts, steps, versions, weights, left, files } of results) {
          const seen = `cut ${when} frame ${at}`;
          assert.equal(cuts, at === whole.frames && when === 'after' ? cuts : 1, seen);
          assert.equal(steps, 1, seen);
          assert.deepEqual(versions, ['policy@v1', 'policy@v2'], seen);
          assert.equal(trained.adapterSha256, expected.adapterSha256, seen);
          assert.deepEqual(weights, whole.weights, seen);
          assert.deepEqual(left, [], seen);
          assert.deepEqual(files, [...ADAPTER_FORM.travels].sort(), seen);
        }
      }
    });
});
