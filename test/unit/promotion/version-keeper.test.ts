/** Going back, falling back, deleting and forgetting, over a home folder on disk in which versions are learnt. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adapterFolders } from '../../../agent-server/promotion/adapter-folders.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { type LearningHome, learningHome } from '../../fixtures/learning-home.ts';
import { answeredTurn, corrected } from '../../fixtures/records.ts';

const never = new AbortController().signal;
const [V1, V2, V3] = [weightVersion(1), weightVersion(2), weightVersion(3)];
const damage = (home: string, version: string) =>
  appendFileSync(join(home, 'adapters', version, 'adapter_model.safetensors'), 'x');

/** A home in which `versions` corrections have been learnt, one a version. */
async function taught(t: TestContext, versions: number): Promise<LearningHome> {
  const made = await learningHome();
  t.after(() => made.store.close());
  for (let n = 1; n <= versions; n += 1) {
    made.correct(`correction ${n}`);
    await made.drain();
  }
  assert.equal(made.store.serving(), weightVersion(versions));
  return made;
}

/** The version that answers a request that begins now. */
async function answers({ serving }: LearningHome): Promise<string> {
  const lease = await serving.acquire(never);
  lease.release();
  return lease.version;
}

test('ROLLBACK-3: going back to a loaded version takes effect at once, and learning goes on from there', async (t) => {
  const made = await taught(t, 3);
  const running = await made.serving.acquire(never);
  assert.ok(made.serving.loaded().includes(V2));
  const loads = made.engine.adapters.size;
  await made.keeper.rollBack(V2, never);
  assert.equal(made.engine.adapters.size, loads, 'nothing was loaded for it');
  assert.deepEqual([await answers(made), made.store.serving(), running.version], [V2, V2, V3]);
  running.release();
  await made.keeper.rollBack(V1, never);
  await made.keeper.rollBack(BASE_VERSION, never);
  assert.equal(await answers(made), BASE_VERSION);
  await assert.rejects(made.keeper.rollBack(weightVersion(9), never), ApprenticeError);
  assert.equal(await answers(made), BASE_VERSION);
  await made.keeper.rollBack(V1, never);
  made.correct('after going back');
  await made.drain();
  assert.equal(made.store.version(weightVersion(4))?.parent, V1);
  assert.equal(await answers(made), 'policy@v4');
});

test('ROLLBACK-4: while the engine is away going back does not wait for it', async (t) => {
  const made = await taught(t, 2);
  made.engine.adapters.clear();
  made.serving.engineStopped();
  await made.keeper.rollBack(V1, never);
  assert.equal(made.store.serving(), V1);
  made.serving.engineStarted('second');
  assert.equal(await answers(made), V1);
});

test('ROLLBACK-2: a batch in training is cancelled by going back, and its correction learnt from there', async (t) => {
  const made = await taught(t, 2);
  const training = Promise.withResolvers<void>();
  made.trainer.before = async (signal) => {
    training.resolve();
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  made.correct('under way');
  const draining = made.drain();
  await training.promise;
  made.trainer.before = async () => undefined;
  await made.keeper.rollBack(V1, never);
  await draining;
  assert.deepEqual(
    [V3, weightVersion(4)].map((version) => made.store.version(version)?.state),
    ['failed', 'serving'],
  );
  assert.equal(made.store.version(weightVersion(4))?.parent, V1);
  assert.deepEqual(readdirSync(join(made.home, 'batches')), []);
});

test('ROLLBACK-2: a version that is being decided on when the user goes back does not serve', async (t) => {
  const made = await taught(t, 2);
  const probing = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  made.engine.beforeToken = async () => {
    probing.resolve();
    await held.promise;
  };
  made.correct('under way');
  const draining = made.drain();
  await probing.promise;
  await made.keeper.rollBack(V1, never);
  held.resolve();
  await draining;
  assert.equal(made.store.version(V3)?.state, 'failed');
  assert.equal(made.store.version(weightVersion(4))?.parent, V1);
});

test('PROMOTE-7: the correction of a step that did not pass is held with the reason, and not tried for ever', async (t) => {
  const made = await taught(t, 1);
  for (let n = 0; n < 4; n += 1) {
    const turnId = answeredTurn(made.store, { subject: { kind: 'chat' } });
    made.store.recordVerdict(
      { ...corrected(turnId, ''), score: 1, hint: null, decidedBy: 'evidence:commit' },
      null,
    );
  }
  made.engine.logprobOf = (version) => (version === V2 ? -2 : -0.5);
  const turnId = made.correct('a bad step');
  await made.drain();
  assert.equal(made.store.sampleOfTurn(turnId)?.state, 'held');
  assert.deepEqual([made.store.serving(), made.store.version(V2)?.state], [V1, 'failed']);
  const [decision] = made.store.promotions(1);
  assert.deepEqual([decision?.promoted, decision?.figures?.meanDifference], [false, -1.5]);
  assert.ok(existsSync(join(made.home, 'adapters', V2)), 'it is kept');
  made.keeper.exclude(turnId, 'included');
  await made.drain();
  assert.equal(made.store.serving(), V3);
});

test('FALLBACK-2: with a damaged adapter requests are answered by the nearest ancestor that loads', async (t) => {
  const made = await taught(t, 3);
  damage(made.home, V3);
  rmSync(join(made.home, 'adapters', V2), { recursive: true });
  made.engine.adapters.clear();
  made.serving.engineStopped();
  const waiting = answers(made);
  made.serving.engineStarted('second');
  assert.equal(await waiting, V1);
  assert.deepEqual(
    [V1, V2, V3].map((version) => made.store.version(version)?.state),
    ['serving', 'failed', 'failed'],
  );
  assert.match(
    made.logged.join(),
    /policy@v3 cannot be loaded and does not serve any more; policy@v2 serves/,
  );
  assert.ok(made.store.promotions(4).some(({ reason }) => /its weights are not those/.test(reason)));
  await made.drain();
  assert.equal(made.store.serving(), weightVersion(5), 'what the lost ones had learnt is learnt again');
  damage(made.home, V1);
  damage(made.home, 'policy@v4');
  damage(made.home, 'policy@v5');
  made.restartEngine('third');
  assert.equal(await answers(made), BASE_VERSION);
});

test('FALLBACK-3: a load that fails once is tried again; an engine that is away is no damage', async (t) => {
  const made = await taught(t, 2);
  for (const code of ['adapter_invalid', 'engine_unavailable'] as const) {
    made.engine.failNext = new ApprenticeError(code, 'once', '');
    made.restartEngine(code);
    await answers(made).catch((error: ApprenticeError) => assert.equal(error.code, code));
    assert.equal(await answers(made), V2);
  }
  assert.equal(made.store.serving(), V2);
});

test('FALLBACK-4: an adapter that the trainer finds damaged is replaced too, and nothing of the user is lost', async (t) => {
  const made = await taught(t, 2);
  damage(made.home, V2);
  made.correct('correction 3');
  for (let item = made.work.next(0); item !== undefined; item = made.work.next(0))
    await Promise.resolve(made.work.handle(item, 0, never)).catch(() => undefined);
  assert.deepEqual([made.store.version(V2)?.state, made.store.serving()], ['failed', 'policy@v5']);
  assert.deepEqual(
    made.store.replaySamples(9, []).map(({ hint }) => hint?.text),
    ['correction 3', 'correction 2', 'correction 1'],
  );
});

test('KEEP-1: old versions lose their weights, on the disk too, and cannot serve; forgetting goes past them', async (t) => {
  const made = await taught(t, 5);
  await adapterFolders(made.home, made.store, 2).thin();
  assert.deepEqual(readdirSync(join(made.home, 'adapters')), [V2, 'policy@v4', 'policy@v5']);
  await assert.rejects(made.keeper.rollBack(V3, never), /old versions whose weights are not kept/);
  const third = made.store.batchSamples(batchOf(made, weightVersion(4)))[0];
  const turnId = third && made.store.sample(third.sampleId)?.turnId;
  assert.ok(turnId);
  await made.keeper.deleteTurn(turnId);
  const { serving, samplesReady } = await made.keeper.forget(never);
  assert.deepEqual([serving, samplesReady], [V2, 2], 'what V3 and V5 had learnt is learnt again');
});

test('FORGET-10: what a crash left of forgotten versions is deleted at the next start; what serves stays', async (t) => {
  const made = await taught(t, 2);
  for (const name of ['policy@v7', '.unfinished-now']) mkdirSync(join(made.home, 'adapters', name));
  await adapterFolders(made.home, made.store, 64).sweep();
  assert.deepEqual(readdirSync(join(made.home, 'adapters')), ['.unfinished-now', V1, V2]);
});

test('FORGET-8: forgetting deletes the adapters that had learnt it, and the rest is learnt again in order', async (t) => {
  const made = await taught(t, 4);
  const second = made.store.batchSamples(batchOf(made, V2))[0];
  const turnId = second && made.store.sample(second.sampleId)?.turnId;
  assert.ok(turnId);
  const { tainted } = await made.keeper.deleteTurn(turnId);
  assert.deepEqual(tainted, [V2, V3, weightVersion(4)]);
  assert.equal(await answers(made), 'policy@v4', 'deleting alone takes nothing away from the user');
  const outcome = await made.keeper.forget(never);
  assert.deepEqual([outcome.serving, outcome.samplesReady, await answers(made)], [V1, 2, V1]);
  assert.deepEqual(readdirSync(join(made.home, 'adapters')), ['policy@v1']);
  assert.ok(!made.serving.loaded().includes(weightVersion(4)));
  await made.drain();
  assert.equal(made.store.serving(), weightVersion(6));
  assert.deepEqual(
    made.store.replaySamples(9, []).map(({ hint }) => hint?.text),
    ['correction 4', 'correction 3', 'correction 1'],
  );
});

function batchOf({ store }: LearningHome, version: typeof V1) {
  const batchId = store.version(version)?.batchId;
  assert.ok(batchId);
  return batchId;
}

test('FORGET-9: after deleting everything no byte of it is left in the home folder', async (t) => {
  const made = await taught(t, 2);
  const secret = 'a sentence that is nowhere else';
  made.correct(secret);
  mkdirSync(join(made.home, 'adapters.before-then'));
  writeFileSync(join(made.home, 'store.sqlite.corrupt-then'), secret);
  for (const folder of ['adapters', 'optimizer', 'incoming', 'received']) {
    mkdirSync(join(made.home, 'worker', folder), { recursive: true });
    writeFileSync(join(made.home, 'worker', folder, 'a copy of the worker'), secret);
  }
  made.work.next(0);
  assert.ok(bytesOf(made.home).includes(secret));
  await made.keeper.deleteEverything(never);
  assert.equal(await answers(made), BASE_VERSION);
  assert.deepEqual(
    ['adapters', 'batches', 'optimizer'].map((name) => readdirSync(join(made.home, name)).length),
    [0, 0, 0],
  );
  assert.ok(!bytesOf(made.home).includes(secret));
  made.correct('a new beginning');
  await made.drain();
  assert.equal(await answers(made), 'policy@v3');
});

test('FORGET-4: a deleted turn leaves no byte of its text in the store’s files', async (t) => {
  const made = await taught(t, 1);
  const secret = 'words that the user wants gone';
  const turnId = made.correct(secret);
  await made.drain();
  assert.ok(bytesOf(made.home).includes(secret));
  await made.keeper.deleteTurn(turnId);
  assert.ok(!bytesOf(made.home).includes(secret));
});

/** All files of a folder, end to end. */
function bytesOf(folder: string): Buffer {
  return Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  );
}
