/** What idle time does with lessons, through the train loop over a real store: checks, retirement, distillation. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { LessonBook } from '../../../agent-server/hindsight/lesson-book.ts';
import { LessonsConfig } from '../../../agent-server/hindsight/lessons-config.ts';
import { demonstrateAccepted } from '../../../agent-server/judge/accepted-with-lessons.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { batchFolders } from '../../../agent-server/loops/batch-folder.ts';
import { Distillation } from '../../../agent-server/loops/distillation.ts';
import { distillationBuilder } from '../../../agent-server/loops/distillation-builder.ts';
import { whenIdle } from '../../../agent-server/loops/idle-work.ts';
import { CHECK_ANSWERS, lessonChecks } from '../../../agent-server/loops/lesson-checks.ts';
import type { LoopWork } from '../../../agent-server/loops/loop.ts';
import type { TrainItem } from '../../../agent-server/loops/train-items.ts';
import { trainWork } from '../../../agent-server/loops/train-loop.ts';
import { PromotionConfig } from '../../../agent-server/promotion/config.ts';
import { Gate } from '../../../agent-server/promotion/gate.ts';
import {
  BASE_VERSION,
  type LessonId,
  type SampleId,
  TurnId,
  type WeightVersion,
  weightVersion,
} from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import type { TurnContext } from '../../../agent-server/store/types.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { PublishedBatches } from '../../fakes/published-batches.ts';
import { hasLessons, TaughtEngine } from '../../fakes/taught-engine.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  made,
  newTurnId,
  readySample,
  response,
  sample,
  T0,
  turn,
} from '../../fixtures/records.ts';

const files = realTokenizerFiles();
const never = new AbortController().signal;
let home: string;
let store: Store;
let engine: TaughtEngine;
let trainer: PublishedBatches;
const open: { close(): void }[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lesson-work-'));
  store = (await openStore(join(home, 'store.sqlite'))).store;
  store.setLearning('on');
  engine = new TaughtEngine(files);
  trainer = new PublishedBatches();
});
afterEach(async () => {
  for (const part of open.splice(0)) part.close();
  store.close();
  await rm(home, { recursive: true, force: true });
});

/** The train loop with its idle work, at a clock that stands still. */
function start(distils: 'distils' | 'checks only'): LoopWork<TrainItem> {
  const config = LearningConfig.parse({
    anchors: 1,
    idleAfterMs: 0,
    distillation: { enabled: distils === 'distils', requests: 2, batchesPerHour: 1 },
  });
  const serving = new Serving({
    engine,
    serving: store.serving(),
    folderOf: (version) => `/adapters/${version}`,
    onUnloadError: () => undefined,
  });
  serving.engineStarted('epoch');
  const prompts = new PromptSource(engine);
  const lessons = new LessonBook(store, LessonsConfig.parse({}));
  const log = createLog('error', () => undefined);
  const parts = { store, engine, serving, prompts, lessons, config, log };
  const distillation = new Distillation(parts);
  const idle = whenIdle([lessonChecks(parts), distillation], store, { idleAfterMs: 0, nowMs: () => 0 });
  open.push(lessons, distillation, idle);
  const gate = new Gate({ ...parts, config: PromotionConfig.parse({}), anchorsPerBatch: config.anchors });
  return trainWork({
    ...parts,
    folders: batchFolders(join(home, 'batches')),
    trainer,
    gate,
    adapters: { intact: async () => true, thin: async () => undefined },
    ready: () => ({ engine: true, trainer: true }),
    idle,
    distillation: distillationBuilder(parts),
  });
}

/** Runs until there is nothing to do, as the loop does, without its waiting. */
async function drain(work: LoopWork<TrainItem>): Promise<void> {
  for (let item = work.next(0); item !== undefined; item = work.next(0)) await work.handle(item, 0, never);
}

function ask(request: string): TurnId {
  return answeredTurn(store, {
    subject: { kind: 'chat' },
    messages: [{ role: 'user', content: request }],
  });
}

function teach(request: string, decidedAtMs?: number): { turnId: TurnId; lessonId: LessonId } {
  const turnId = ask(request);
  const verdict = corrected(turnId, 'fix: greet politely');
  store.recordVerdict({ ...verdict, decidedAtMs: decidedAtMs ?? verdict.decidedAtMs }, null);
  const [lesson] = store.lessons(1);
  assert.ok(lesson);
  return { turnId, lessonId: lesson.lessonId };
}

/** A turn that was answered with a lesson in its prompt, and that the user took as it was; kept for checks, or a demonstration. */
function acceptWith(
  lessonId: LessonId,
  behaviour: number,
  use: 'kept for checks' | 'demonstrates' = 'kept for checks',
  afterMs = 100_000,
): SampleId {
  const turnId = TurnId.parse(newTurnId().slice(0, -1) + (use === 'kept for checks' ? '0' : '1'));
  const begun = turn({ turnId, subject: { kind: 'chat' }, messages: [{ role: 'user', content: 'Wave' }] });
  const context: TurnContext = {
    origin: 'header',
    client: null,
    takenFor: 'main',
    parentTurnId: null,
    retryOf: null,
    fork: null,
    hashes: null,
    tools: [],
    lessonIds: [lessonId],
  };
  store.beginTurn({ ...begun, createdAtMs: begun.createdAtMs + afterMs }, context);
  store.finishTurn(begun.turnId, response({ behaviourLogprobs: [behaviour, behaviour] }));
  const judged = sample(turnId, { score: 1, hint: null, state: 'held' });
  store.recordVerdict(
    { ...corrected(turnId, ''), score: 1, hint: null },
    demonstrateAccepted(judged, store.turn(turnId), LearningConfig.parse({})),
  );
  return judged.sampleId;
}

/** A version that serves, made by an earlier batch. */
function serveVersion(n: number): WeightVersion {
  const version = weightVersion(n);
  store.completeBatch(beginBatch(store, [readySample(store)]), made(version));
  store.promote(version, 'passed', n);
  return version;
}

test('LESSON-9: a lesson retires by the version that finds four accepted answers, and its rewrite, likely without', async () => {
  const { lessonId } = teach('Say hello');
  const version = serveVersion(1);
  for (const _ of [1, 2, 3]) acceptWith(lessonId, -0.45);
  const work = start('checks only');
  await drain(work);
  assert.equal(store.lesson(lessonId)?.state, 'active', 'three accepted answers are not enough');
  acceptWith(lessonId, -0.45);
  await drain(work);
  assert.deepEqual([store.lesson(lessonId)?.state, store.lesson(lessonId)?.retiredBy], ['retired', version]);
});

test('LESSON-15: a correction brings back what retired of its kind, until it is accepted anew', async () => {
  const { lessonId } = teach('Say hello');
  serveVersion(1);
  for (const _ of [1, 2, 3, 4]) acceptWith(lessonId, -0.45);
  const work = start('checks only');
  await drain(work);
  assert.equal(store.lesson(lessonId)?.state, 'retired');
  const again = teach('Say good evening', T0 + 200_000);
  assert.equal(store.lesson(lessonId)?.state, 'active');
  await drain(work);
  assert.equal(
    store.lesson(lessonId)?.state,
    'active',
    'what was accepted before the correction counts no more',
  );
  for (const _ of [1, 2, 3, 4]) acceptWith(again.lessonId, -0.45, 'kept for checks', 300_000);
  await drain(work);
  assert.equal(store.lesson(lessonId)?.state, 'retired');
});

test('LESSON-10: what the version does not yet do without stays, and is asked once of a version', async () => {
  const { lessonId } = teach('Say hello');
  for (const _ of [1, 2, 3, 4]) acceptWith(lessonId, -0.1);
  const version = serveVersion(1);
  const work = start('checks only');
  await drain(work);
  assert.equal(store.lesson(lessonId)?.state, 'active');
  assert.equal(store.nextLessonCheck(version, { answers: CHECK_ANSWERS, limit: 8 }), undefined);
  // The next version finds the answers likely, and its rewrite still less so than the base does with the lessons.
  const next = serveVersion(2);
  engine.likelihood = (_taught, by) => (by === BASE_VERSION ? -0.05 : -0.18);
  await drain(work);
  assert.equal(store.lesson(lessonId)?.state, 'active');
  assert.equal(store.nextLessonCheck(next, { answers: CHECK_ANSWERS, limit: 8 }), undefined);
});

test('LESSON-14: an answer accepted with lessons makes no step when the weights give it without them already', async () => {
  const { lessonId } = teach('Say hello');
  engine.likelihood = () => -0.5;
  const known = acceptWith(lessonId, -0.45, 'demonstrates');
  const work = start('checks only');
  await drain(work);
  assert.equal(trainer.trained.length, 0);
  assert.equal(store.sample(known)?.state, 'held');
  assert.match(store.sample(known)?.note ?? '', /without lessons already/);
  const unknown = acceptWith(lessonId, -0.1, 'demonstrates');
  await drain(work);
  assert.deepEqual(
    trainer.trained.map(({ rows }) => rows.flatMap(({ sampleId }) => sampleId ?? [])),
    [[unknown]],
  );
});

test('LESSON-16: of the answers accepted since the last correction four are learnt from', async () => {
  const { lessonId } = teach('Say hello');
  const steps = async (): Promise<number> => {
    const sampleId = acceptWith(lessonId, -0.1, 'demonstrates', 100_000 + 10_000 * trainer.trained.length);
    await drain(start('checks only'));
    return store.sample(sampleId)?.state === 'trained' ? trainer.trained.length : Number.NaN;
  };
  assert.deepEqual([await steps(), await steps(), await steps(), await steps()], [1, 2, 3, 4]);
  assert.ok(Number.isNaN(await steps()));
  assert.equal(trainer.trained.length, 4);
  teach('Say good evening', T0 + 900_000);
  const after = acceptWith(lessonId, -0.1, 'demonstrates', 1_000_000);
  await drain(start('checks only'));
  assert.equal(store.sample(after)?.state, 'trained');
});

test('DISTIL-1: earlier requests that lessons help are distilled, without a sample, and told apart', async () => {
  const { turnId: source } = teach('Say hello');
  const asked = [ask('Say goodbye'), ask('Say good night')];
  await drain(start('distils'));
  const [manifest] = trainer.trained;
  assert.ok(manifest);
  assert.deepEqual(
    manifest.rows.map(({ role, origin, sampleId }) => [role, origin, sampleId]),
    [
      ['response', 'new', null],
      ['response', 'new', null],
      ['anchor', 'anchor', null],
    ],
  );
  assert.equal(store.batch(manifest.batchId)?.kind, 'distillation');
  assert.deepEqual(
    new Set(store.batchTurns(manifest.batchId).map(({ turnId, role }) => `${role} ${turnId}`)),
    new Set([...asked.map((turnId) => `request ${turnId}`), `lesson ${source}`]),
  );
  const scored = engine.scored.filter(({ promptIds }) => hasLessons(promptIds));
  assert.deepEqual(
    new Set(scored.map(({ version }) => version)),
    new Set([BASE_VERSION]),
    'the base teaches',
  );
  assert.equal(trainer.trained.length, 1, 'one batch an hour');
  const later = start('distils');
  assert.equal(later.next(1), undefined);
  assert.equal(later.nextDueMs(), 3_600_000);
  assert.equal(later.next(3_600_000)?.kind, 'idle', 'and another after it');
  store.setLearning('paused');
  assert.equal(later.next(1), undefined);
  assert.equal(later.nextDueMs(), undefined, 'nothing is due while learning is paused');
});

test('DISTIL-2: nothing is distilled from a teacher that answers no better, nor without an active lesson', async () => {
  const { lessonId } = teach('Say hello');
  ask('Say goodbye');
  engine.taught = engine.untaught;
  await drain(start('distils'));
  engine.taught = 'fix: greet';
  store.updateLesson(lessonId, { state: 'off' });
  await drain(start('distils'));
  assert.deepEqual(trainer.trained, []);
});
