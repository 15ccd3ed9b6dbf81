/** The train loop over a real store on disk: one correction to one version, whatever dies between two steps. */
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { batchFolders } from '../../../agent-server/loops/batch-folder.ts';
import type { LoopWork } from '../../../agent-server/loops/loop.ts';
import type { TrainItem } from '../../../agent-server/loops/train-items.ts';
import { trainWork } from '../../../agent-server/loops/train-loop.ts';
import { PromotionConfig } from '../../../agent-server/promotion/config.ts';
import { Gate } from '../../../agent-server/promotion/gate.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { PublishedBatches } from '../../fakes/published-batches.ts';
import { answeredTurn, corrected, sample } from '../../fixtures/records.ts';

const files = realTokenizerFiles();
const never = new AbortController().signal;
const silent = createLog('error', () => undefined);
const config = LearningConfig.parse({ method: 'hybrid-union+demonstration', anchors: 1, replay: 2 });

let home: string;
let trainer: PublishedBatches;
let up = { engine: true, trainer: true };
const stores: Store[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'train-loop-'));
  trainer = new PublishedBatches();
  up = { engine: true, trainer: true };
  engine.scored.length = 0;
});
afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  await rm(home, { recursive: true, force: true });
});
// The worker's processes outlive the agent-server's; only what is in the store and on disk is there again.
const engine = new InProcessEngine(files);
const prompts = new PromptSource(engine);

/** A process: everything that is in memory, over the home's store. */
async function start(through: (store: Store) => Store = (store) => store, settings = config) {
  const opened = (await openStore(join(home, 'store.sqlite'))).store;
  stores.push(opened);
  const store = through(opened);
  const serving = new Serving({
    engine,
    serving: opened.serving(),
    folderOf: (version) => opened.version(version)?.folder ?? undefined,
    onUnloadError: () => undefined,
  });
  serving.engineStarted('epoch');
  const folders = batchFolders(join(home, 'batches'));
  const gate = new Gate({
    store,
    engine,
    serving,
    prompts,
    config: PromotionConfig.parse({}),
    anchorsPerBatch: settings.anchors,
  });
  const parts = {
    store,
    engine,
    serving,
    prompts,
    folders,
    trainer,
    gate,
    adapters: { intact: async () => true, thin: async () => undefined },
    ready: () => up,
    config: settings,
    log: silent,
  };
  return { store: opened, serving, work: trainWork(parts) };
}

function correct(store: Store, text: string): void {
  const turnId = answeredTurn(
    store,
    { promptIds: [1, 9690, 198] },
    { responseIds: [100, 200, 2], behaviourLogprobs: [-1, -1, -1] },
  );
  store.recordVerdict(corrected(turnId, text), sample(turnId, { hint: { kind: 'rewrite', text } }));
}

/** Runs until there is nothing to do, as the loop does, without its waiting. */
async function drain(work: LoopWork<TrainItem>): Promise<void> {
  for (let item = work.next(0); item !== undefined; item = work.next(0)) await work.handle(item, 0, never);
}

test('STEP-1: a correction becomes rows, a batch, a version that serves, and replay in the next batch', async () => {
  const { store, work, serving } = await start();
  store.setLearning('on');
  correct(store, 'fix: greet');
  await drain(work);
  assert.deepEqual([store.serving(), serving.version], [weightVersion(1), weightVersion(1)]);
  const [first] = trainer.trained;
  assert.deepEqual(
    first?.rows.map(({ role, origin }) => [role, origin]),
    [
      ['response', 'new'],
      ['demonstration', 'new'],
      ['anchor', 'anchor'],
    ],
  );
  const teacher = engine.scored.find(({ promptIds }) => promptIds.length > 3);
  assert.equal(teacher?.version, BASE_VERSION);
  correct(store, 'feat: wave');
  await drain(work);
  assert.equal(store.serving(), weightVersion(2));
  const second = trainer.trained[1];
  assert.equal(second?.parent, weightVersion(1));
  assert.deepEqual(new Set(second?.rows.map(({ origin }) => origin)), new Set(['new', 'replay', 'anchor']));
  assert.ok(
    engine.scored.some(({ version }) => version === weightVersion(1)),
    'the student is the current version',
  );
  assert.deepEqual(await readdir(join(home, 'batches')), []);
});

test('STEP-2: a crash before or after any write ends with one version of one batch, trained once', async () => {
  const writes = ['beginBatch', 'setManifest', 'submitBatch', 'completeBatch', 'promote'] as const;
  for (const write of writes) {
    for (const moment of ['before', 'after'] as const) {
      await rm(join(home, 'store.sqlite'), { force: true });
      trainer = new PublishedBatches();
      const dying = await start((store) => dieAt(store, write, moment), LearningConfig.parse({ anchors: 0 }));
      dying.store.setLearning('on');
      correct(dying.store, 'fix: greet');
      await assert.rejects(drain(dying.work), /killed/, `${moment} ${write}`);
      dying.store.close();
      stores.pop();

      const { store, work, serving } = await start(undefined, LearningConfig.parse({ anchors: 0 }));
      await drain(work);
      const seen = `${moment} ${write}`;
      assert.equal(trainer.trained.length, 1, seen);
      assert.deepEqual([store.serving(), serving.version], [weightVersion(1), weightVersion(1)], seen);
      assert.equal(store.versions().filter(({ batchId }) => batchId !== null).length, 1, seen);
      assert.deepEqual(
        store.replaySamples(9, []).map(({ state }) => state),
        ['trained'],
        seen,
      );
      assert.equal(store.openBatch(), undefined, seen);
      store.close();
      stores.pop();
    }
  }
});

/** A store whose process is killed around one write: from then on nothing can be read or written. */
function dieAt(store: Store, write: keyof Store, moment: 'before' | 'after'): Store {
  let dead = false;
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (dead) throw new Error('killed');
      const member = target[name];
      if (name !== write) return member;
      return (...args: unknown[]) => {
        if (moment === 'after') Reflect.apply(member, target, args);
        dead = true;
        throw new Error('killed');
      };
    },
  });
}

test('STEP-3: a folder changed on disk is written again from the store and then trained', async () => {
  const { store, work } = await start();
  store.setLearning('on');
  correct(store, 'fix: greet');
  let tampered = false;
  for (let item = work.next(0); item !== undefined; item = work.next(0)) {
    if (item.kind === 'batch' && item.batch.manifest && !tampered) {
      tampered = true;
      appendFileSync(join(home, 'batches', item.batch.batchId, 'batch.safetensors'), 'x');
      await assert.rejects(async () => work.handle(item, 0, never), /not those of the manifest/);
    } else await work.handle(item, 0, never);
  }
  assert.equal(store.serving(), weightVersion(1));
  assert.equal(trainer.trained.length, 1);
});

test('STEP-4: a batch that cannot be trained is given up, its sample held, and the next one trains', async () => {
  const { store, work } = await start();
  store.setLearning('on');
  trainer.failures.push(new ApprenticeError('step_rejected', 'The loss is not finite.', ''));
  correct(store, 'fix: greet');
  await drain(work);
  assert.equal(store.serving(), BASE_VERSION);
  assert.equal(store.version(weightVersion(1))?.state, 'failed');
  assert.deepEqual(store.readySamples(9), []);
  correct(store, 'feat: wave');
  await drain(work);
  assert.equal(store.serving(), weightVersion(2));
  assert.equal(store.version(weightVersion(2))?.parent, BASE_VERSION);
});

test('STEP-5: a step with broken numbers never serves; the reason is kept and the parent goes on', async () => {
  const { store, work, serving } = await start();
  store.setLearning('on');
  trainer.metrics = { ...trainer.metrics, logprobFall: 9 };
  correct(store, 'fix: greet');
  await drain(work);
  assert.deepEqual([store.version(weightVersion(1))?.state, serving.version], ['failed', BASE_VERSION]);
});

test('STEP-6: nothing is taken up without consent or while paused; without a trainer a batch is built and waits', async () => {
  const { store, work } = await start();
  correct(store, 'fix: greet');
  assert.equal(work.next(0), undefined);
  store.setLearning('paused');
  assert.equal(work.next(0), undefined);
  store.setLearning('on');
  up = { engine: false, trainer: true };
  assert.equal(work.next(0), undefined);
  up = { engine: true, trainer: false };
  await drain(work);
  assert.deepEqual([store.openBatch()?.state, trainer.trained.length], ['building', 0]);
  up = { engine: true, trainer: true };
  await drain(work);
  assert.equal(store.serving(), weightVersion(1));
});
