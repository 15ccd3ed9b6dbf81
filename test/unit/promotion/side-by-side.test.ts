/** Two versions answer the user's earlier requests: which ones, by whom, and nothing is left of it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { SideBySide } from '../../../agent-server/promotion/side-by-side.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { AnswerPair, SideBySideRequest } from '../../../agent-server/protocol/promotion.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { answeredTurn, learn } from '../../fixtures/records.ts';

const never = new AbortController().signal;
const files = realTokenizerFiles();
const V1 = weightVersion(1);
const ask = (fields: object = {}) => SideBySideRequest.parse({ left: BASE_VERSION, right: V1, ...fields });
const failsWith = (code: string) => (error: unknown) =>
  error instanceof ApprenticeError && error.code === code;

let store: Store;
let engine: InProcessEngine;
beforeEach(async () => {
  store = (await openStore(':memory:')).store;
  engine = new InProcessEngine(files);
});
afterEach(() => store.close());

function sideBySide(busy = () => false): SideBySide {
  const serving = new Serving({
    engine,
    serving: store.serving(),
    folderOf: (version) => store.version(version)?.folder ?? undefined,
    onUnloadError: () => undefined,
  });
  serving.engineStarted('epoch');
  return new SideBySide({ store, engine, serving, prompts: new PromptSource(engine), busy });
}

const asked = (content: string) => answeredTurn(store, { messages: [{ role: 'user', content }] });

test('SIDE-BY-SIDE-1: both answer the newest requests, held-out ones first, greedily, and no turn is made', async () => {
  const [first, second] = [asked('the first'), asked('the second')];
  learn(store);
  answeredTurn(store, { kind: 'side' });
  const counted = store.storedCounts().turns;
  const told: [AnswerPair, number][] = [];
  const pairs = await sideBySide().answer(ask(), (...one) => told.push(one), never);
  assert.deepEqual(
    pairs.map(({ turnId, request, heldOut, wanted }) => [turnId, request, heldOut, wanted]).slice(0, 2),
    [
      [second, 'the second', true, null],
      [first, 'the first', true, null],
    ],
  );
  assert.deepEqual([pairs[2]?.heldOut, pairs[2]?.wanted, pairs.length], [false, 'feat: add a parser', 3]);
  assert.deepEqual(
    told,
    pairs.map((pair) => [AnswerPair.parse(pair), 3]),
  );
  assert.deepEqual(
    engine.requests.map(({ lora_path, sampling_params }) => [lora_path, sampling_params?.temperature]),
    Array.from({ length: 6 }, (_, n) => [n % 2 === 0 ? null : V1, 0]),
  );
  assert.equal(store.storedCounts().turns, counted);
});

test('SIDE-BY-SIDE-2: it is bounded, stands back while somebody waits, runs once at a time and can be cancelled', async () => {
  await assert.rejects(
    sideBySide().answer(ask(), () => undefined, never),
    failsWith('invalid_request'),
  );
  learn(store);
  for (const n of [1, 2, 3]) asked(`number ${n}`);
  await assert.rejects(
    sideBySide().answer(ask({ right: BASE_VERSION }), () => undefined, never),
    failsWith('invalid_request'),
  );
  await assert.rejects(
    sideBySide().answer(ask({ right: weightVersion(7) }), () => undefined, never),
    failsWith('model_not_found'),
  );
  engine.requests.length = 0;
  const looked = Promise.withResolvers<void>();
  const both = sideBySide(() => {
    looked.resolve();
    return true;
  });
  const cancelled = new AbortController();
  const waiting = both.answer(ask({ requests: 2 }), () => undefined, cancelled.signal);
  await looked.promise;
  await assert.rejects(
    both.answer(ask(), () => undefined, never),
    failsWith('queue_full'),
  );
  cancelled.abort();
  await assert.rejects(waiting, failsWith('aborted'));
  assert.equal(engine.requests.length, 0);
  assert.equal((await sideBySide().answer(ask({ requests: 2 }), () => undefined, never)).length, 2);
});
