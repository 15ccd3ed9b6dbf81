/** "Is it better for me?" over a real store: what is learnt before a point in time, tested on what came after it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Tokenizer } from '@huggingface/tokenizers';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { LessonsConfig } from '../../../agent-server/hindsight/lessons-config.ts';
import { BetterForMe } from '../../../agent-server/promotion/better-for-me.ts';
import { splitTimeMs } from '../../../agent-server/promotion/time-split.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type SampleId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { EvaluationReport, EvaluationRequest } from '../../../agent-server/protocol/promotion.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { answeredTurn, beginBatch, corrected, made, sample, T0 } from '../../fixtures/records.ts';

const never = new AbortController().signal;
const files = realTokenizerFiles();
const [V1, V2] = [weightVersion(1), weightVersion(2)];
const MINUTE = 60_000;

let store: Store;
let engine: InProcessEngine;
beforeEach(async () => {
  store = (await openStore(':memory:')).store;
  engine = new InProcessEngine(files);
  engine.logprobOf = (version) => (version === BASE_VERSION ? -2 : version === V1 ? -1 : -0.25);
});
afterEach(() => store.close());

/** A request asked `minute` minutes after T0 and corrected half a minute later. */
function correctedAt(minute: number, request: string): SampleId {
  const createdAtMs = T0 + minute * MINUTE;
  const asked = {
    createdAtMs,
    messages: [{ role: 'user' as const, content: request }],
    subject: { kind: 'chat' as const },
  };
  const turnId = answeredTurn(store, asked, { finishedAtMs: createdAtMs + 1000 });
  const learnt = sample(turnId, { createdAtMs });
  const verdict = { ...corrected(turnId, `fix: ${request}`), decidedAtMs: createdAtMs + MINUTE / 2 };
  store.recordVerdict(verdict, learnt);
  return learnt.sampleId;
}

function learnAt(minute: number, samples: SampleId[]): void {
  const version = store.nextVersion();
  store.completeBatch(beginBatch(store, samples), { ...made(version), atMs: T0 + minute * MINUTE });
  store.promote(version, 'better', T0 + minute * MINUTE);
}

function comparison(busy = () => false): BetterForMe {
  const serving = new Serving({
    engine,
    serving: store.serving(),
    folderOf: (version) => store.version(version)?.folder ?? undefined,
    onUnloadError: () => undefined,
  });
  serving.engineStarted('epoch');
  const prompts = new PromptSource(engine);
  return new BetterForMe({
    store,
    engine,
    serving,
    prompts,
    lessons: LessonsConfig.parse({}),
    busy,
    nowMs: () => T0,
  });
}

const ask = (fields: object = {}) => EvaluationRequest.parse({ splitAt: null, ...fields });

/** Corrections at minutes 0 to 3, learnt by v1 at 1.9 and v2 at 2.9; the split then lies at minute 1. */
function history(): void {
  const [first, second] = [correctedAt(0, 'greet the world'), correctedAt(1, 'greet the moon')];
  learnAt(1.9, [first, second]);
  learnAt(2.9, [correctedAt(2, 'greet the stars')]);
  correctedAt(3, 'greet the sun');
}

test('BETTER-1: the version that served at the split is compared, on turns after it alone', async () => {
  history();
  const steps: number[] = [];
  const at = new Date(T0 + 1.95 * MINUTE).toISOString();
  const report = await comparison().evaluate(ask({ splitAt: at }), (done) => steps.push(done), never);
  assert.deepEqual(EvaluationReport.parse(report), report);
  assert.deepEqual([report.version, report.corrected, report.accepted, report.lessons], [V1, 2, 0, 2]);
  assert.deepEqual(
    report.arms.map(({ arm, version, turns, logprob }) => [arm, version, turns, logprob]),
    [
      ['base', BASE_VERSION, 2, -2],
      ['control', BASE_VERSION, 2, -2],
      ['lessons', BASE_VERSION, 2, -2],
      ['adapter', V1, 2, -1],
      ['both', V1, 2, -1],
      // Of the two it has learnt the first.
      ['serving', V2, 1, -0.25],
    ],
  );
  assert.deepEqual(report.arms[3]?.versusBase, { mean: 1, low: 1, high: 1 });
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.ok((report.arms[0]?.chrf ?? 0) > 0, 'answers are compared with what the user wrote');
});

test('BETTER-2: prompts hold lessons from before the split and no others', async () => {
  history();
  const at = new Date(T0 + 1.95 * MINUTE).toISOString();
  await comparison().evaluate(ask({ splitAt: at, answers: 0 }), () => undefined, never);
  const tokenizer = new Tokenizer(files.tokenizer, files.config);
  const asked = new Set(engine.scored.map(({ promptIds }) => tokenizer.decode([...promptIds])));
  const lessons = [...asked].filter((text) => text.includes('fix: greet the world'));
  assert.equal(lessons.length, 2, 'one prompt with lessons a test turn');
  assert.ok(lessons.every((text) => text.includes('fix: greet the moon')));
  assert.ok(![...asked].some((text) => text.includes('fix: greet the stars')));
  assert.equal(engine.requests.length, 0, 'no answers were asked for');
});

test('BETTER-3: before anything was learnt there is the base alone; with too few turns it says so', async () => {
  correctedAt(0, 'one');
  await assert.rejects(
    comparison().evaluate(ask(), () => undefined, never),
    (error) => error instanceof ApprenticeError && error.code === 'invalid_request',
  );
  for (const minute of [1, 2, 3]) correctedAt(minute, `number ${minute}`);
  const report = await comparison().evaluate(
    ask({ splitAt: new Date(0).toISOString() }),
    () => undefined,
    never,
  );
  assert.deepEqual(
    report.arms.map(({ arm }) => arm),
    ['base'],
  );
});

test('BETTER-4: it stands back while somebody waits for an answer, runs once at a time, and can be cancelled', async () => {
  history();
  let waiting = true;
  const looked = Promise.withResolvers<void>();
  const compared = comparison(() => {
    looked.resolve();
    return waiting;
  });
  const running = compared.evaluate(ask({ answers: 0 }), () => undefined, never);
  await looked.promise;
  assert.equal(engine.scored.length, 0);
  await assert.rejects(
    compared.evaluate(ask(), () => undefined, never),
    (error) => error instanceof ApprenticeError && error.code === 'queue_full',
  );
  waiting = false;
  assert.ok((await running).arms.length > 0);
  waiting = true;
  const cancelled = new AbortController();
  const stopped = compared.evaluate(ask(), () => undefined, cancelled.signal);
  cancelled.abort();
  await assert.rejects(stopped, (error) => error instanceof ApprenticeError && error.code === 'aborted');
});

test('BETTER-5: half of the turns lie after the split that is chosen by itself', () => {
  const at = (...minutes: number[]) => minutes.map((minute) => ({ createdAtMs: minute * MINUTE }));
  assert.equal(splitTimeMs(at(5, 1, 3, 2, 4), null), 3 * MINUTE);
  assert.equal(splitTimeMs(at(4, 3, 2, 1), null), 2 * MINUTE);
  assert.throws(() => splitTimeMs(at(1, 2), null), ApprenticeError);
  assert.throws(() => splitTimeMs(at(1, 2, 3), 2 * MINUTE), ApprenticeError);
});

test('BETTER-6: the control has the same lessons with their tokens shuffled, before the same requests', async () => {
  history();
  const at = new Date(T0 + 1.95 * MINUTE).toISOString();
  await comparison().evaluate(ask({ splitAt: at, answers: 0 }), () => undefined, never);
  const tokenizer = new Tokenizer(files.tokenizer, files.config);
  const prompts = engine.scored.map(({ promptIds }) => [...promptIds]);
  const texts = prompts.map((ids) => tokenizer.decode(ids));
  const taught = texts.findIndex((text) => text.includes('fix: greet the world'));
  const shuffled = texts.findIndex(
    (text, n) =>
      n !== taught &&
      text.includes('greet the world') &&
      text.includes('greet the moon') &&
      !text.includes('fix: greet the'),
  );
  assert.ok(taught >= 0 && shuffled >= 0, texts.join('\n---\n'));
  const sorted = (n: number) => prompts[n]?.toSorted((a, b) => a - b);
  assert.deepEqual(sorted(shuffled)?.length, sorted(taught)?.length);
});

test('BETTER-7: what a comparison would take is told before, from what these turns took; its report is kept', async () => {
  history();
  const request = ask({ splitAt: new Date(T0 + 1.95 * MINUTE).toISOString(), answers: 1 });
  const compare = comparison();
  const before = compare.comparisons(request);
  assert.deepEqual(before.kept, []);
  // An answer took a second, and nothing is known of scoring: 11 turns of arms, 6 answers.
  assert.deepEqual(before.plan, {
    kind: 'ready',
    arms: ['base', 'control', 'lessons', 'adapter', 'both', 'serving'],
    turns: 2,
    answers: 1,
    seconds: 5 * (2 + 1) + (1 + 1),
  });
  const report = await compare.evaluate(request, () => undefined, never);
  assert.deepEqual(compare.comparisons(request).kept, [{ at: new Date(T0).toISOString(), report }]);
  const none = compare.comparisons(ask({ splitAt: new Date(T0 + 9 * MINUTE).toISOString() }));
  assert.deepEqual(none.plan, { kind: 'too_few', judged: 4, needed: 4 });
});
