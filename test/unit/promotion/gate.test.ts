/** The gate over a real store and an engine whose scores the test sets. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { PromotionConfig } from '../../../agent-server/promotion/config.ts';
import { Gate } from '../../../agent-server/promotion/gate.ts';
import { judgeFigures } from '../../../agent-server/promotion/promote.ts';
import {
  BASE_VERSION,
  type SampleId,
  type TurnId,
  weightVersion,
} from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { answeredTurn, beginBatch, corrected, made, readySample, T0 } from '../../fixtures/records.ts';

const never = new AbortController().signal;
const files = realTokenizerFiles();
const [V1, V2] = [weightVersion(1), weightVersion(2)];

let store: Store;
let engine: InProcessEngine;
beforeEach(async () => {
  store = (await openStore(':memory:')).store;
  engine = new InProcessEngine(files);
});
afterEach(() => store.close());

/** An answer that the user took as it stood. */
function accepted(): TurnId {
  const turnId = answeredTurn(store, { subject: { kind: 'chat' }, promptIds: [1, 2] });
  store.recordVerdict({ ...corrected(turnId, ''), score: 1, hint: null, decidedBy: 'evidence:commit' }, null);
  return turnId;
}

function trained(samples: SampleId[]): void {
  const version = store.nextVersion();
  store.completeBatch(beginBatch(store, samples), made(version));
}

async function measure(settings: object = {}) {
  const serving = new Serving({
    engine,
    serving: store.serving(),
    folderOf: (version) => store.version(version)?.folder ?? undefined,
    onUnloadError: () => undefined,
  });
  serving.engineStarted('epoch');
  const gate = new Gate({
    store,
    engine,
    serving,
    prompts: new PromptSource(engine),
    config: PromotionConfig.parse(settings),
    anchorsPerBatch: 1,
  });
  const candidate = store.undecidedVersion();
  assert.ok(candidate);
  const lease = await serving.acquire(never, candidate.version);
  const figures = await gate.measure(candidate, never);
  const again = await gate.measure(candidate, never);
  lease.release();
  return { figures, again, verdict: judgeFigures(figures) };
}

test('PROMOTE-3: worse on what the user accepted fails, with its figures; as good or better serves', async () => {
  const turns = Array.from({ length: 6 }, accepted);
  trained([readySample(store)]);
  engine.logprobOf = (version) => (version === V1 ? -1.5 : -0.5);
  const { figures, again, verdict } = await measure();
  assert.deepEqual([figures.turns, figures.heldOut, figures.meanDifference], [turns.length, 6, -1]);
  assert.equal(verdict.promoted, false);
  assert.match(
    verdict.reason,
    /-1\.000 nats a token on 6 earlier turns \(6 never trained on\).*margin is 0\.3/,
  );
  assert.equal(again.scoredTokens, 0, 'what was scored once is remembered');
  engine.logprobOf = (version) => (version === V1 ? -0.4 : -0.5);
  assert.equal((await measure()).verdict.promoted, true);
});

test('PROMOTE-5: too few turns to compare on decide nothing, and the reason says so', async () => {
  accepted();
  trained([readySample(store), readySample(store), readySample(store), readySample(store)]);
  engine.logprobOf = (version) => (version === V1 ? -9 : -0.5);
  const { figures, verdict } = await measure();
  assert.deepEqual([figures.turns, figures.lowerBound], [0, null]);
  assert.equal(verdict.promoted, true);
  assert.match(verdict.reason, /too few earlier turns to compare on; drift not measured/);
});

test('PROMOTE-5: a turn that its own batch holds does not speak for a version; one that its parent learnt does', async () => {
  const learnt = Array.from({ length: 4 }, () => readySample(store));
  trained(learnt);
  store.promote(V1, 'first', T0);
  trained([readySample(store)]);
  const { figures } = await measure();
  assert.deepEqual([figures.turns, figures.heldOut], [4, 0]);
  assert.deepEqual(
    new Set(engine.scored.map(({ version }) => version)),
    new Set([V1, V2]),
    'compared with the version that serves',
  );
});

test('PROMOTE-4: a version that drifts beyond the limit fails, unless it comes nearer than the one that serves', async () => {
  // The fake engine's lists: id + rank at falling logprobs.
  const base = [-0.5, -1.5, -2.5].map((logprob, rank): [number, number] => [logprob, 7 + rank]);
  store.addAnchor({ promptIds: [1], responseIds: [7], baseTop: [base] });
  trained([readySample(store)]);
  engine.logprobOf = (version) => (version === V1 ? -3.5 : -0.5);
  const { figures, verdict } = await measure();
  assert.ok((figures.driftNats ?? 0) > 0.5);
  assert.equal(figures.servingDriftNats, 0);
  assert.equal(verdict.promoted, false);
  assert.match(verdict.reason, /nats from the base; the limit is 0\.5/);
  assert.equal((await measure({ maxDriftNats: 9 })).verdict.promoted, true);
  store.promote(V1, 'served all the same', T0);
  trained([readySample(store)]);
  engine.logprobOf = (version) => (version === V1 ? -3.5 : version === V2 ? -3 : -0.5);
  assert.equal((await measure()).verdict.promoted, true, 'the way back is open');
  assert.equal(store.serving(), V1);
  assert.notEqual(store.serving(), BASE_VERSION);
});
