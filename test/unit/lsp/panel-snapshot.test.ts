/** What a snapshot tells of the step under way, and how like first answers were to what was wanted. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Progress } from '../../../agent-server/loops/training-progress.ts';
import { answerGroupsOver } from '../../../agent-server/lsp/likeness.ts';
import { panelSnapshot } from '../../../agent-server/lsp/panel-snapshot.ts';
import { BASE_VERSION, BatchId } from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  made,
  readySample,
  sample,
  T0,
} from '../../fixtures/records.ts';

let store: Store;
beforeEach(async () => {
  store = (await openStore(':memory:')).store;
});
afterEach(() => store.close());

const snapshot = (training: Progress | null = null) =>
  panelSnapshot(
    {
      store,
      loops: [],
      worker: null,
      workerPlace: { kind: 'local' },
      training,
      gatewayUrl: 'http://127.0.0.1:1',
    },
    T0,
  );

test('PANEL-12: while a step is made the panel tells which turns it learns from, and how many wait', () => {
  assert.deepEqual([snapshot().training, snapshot().samplesReady], [null, 0]);
  const earlier = readySample(store);
  const version = store.nextVersion();
  store.completeBatch(beginBatch(store, [earlier]), { ...made(version), atMs: T0 });
  store.promote(version, 'better', T0);
  const turnId = answeredTurn(store, {}, { text: 'Add a parser' });
  const learnt = sample(turnId);
  store.recordVerdict(corrected(turnId, 'feat: parse'), learnt);
  assert.equal(snapshot().samplesReady, 1);
  beginBatch(store, [learnt.sampleId], [earlier]);
  const { training, samplesReady } = snapshot();
  assert.ok(training);
  const { turns, ...counts } = training.learning;
  assert.deepEqual(counts, { newTurns: 1, repeated: 1, distilled: 0, lessons: [] });
  assert.deepEqual(
    turns.map(({ proposal, correction }) => [proposal, correction]),
    [['Add a parser', 'feat: parse']],
  );
  assert.equal(samplesReady, 0);
});

test('FAIR-2: a step that waits at a worker with other users is shown with its place; what is told of another is not', () => {
  const batchId = beginBatch(store, [readySample(store)]);
  const waiting: Progress = { batchId, phase: 'waiting', fraction: 0, ahead: 3 };
  const shown = (progress: Progress) => {
    const { phase, ahead } = snapshot(progress).training ?? assert.fail();
    return [phase, ahead];
  };
  assert.deepEqual(shown(waiting), ['waiting', 3]);
  const other = BatchId.parse(crypto.randomUUID());
  assert.deepEqual(shown({ ...waiting, batchId: other }), ['building', 0]);
});

test('PANEL-13: answers taken as they stood are wholly like what was wanted, corrected ones by chrF', async () => {
  const groups = answerGroupsOver(store);
  const never = new AbortController().signal;
  assert.deepEqual(await groups(never), []);
  const judge = (answer: string, wanted: string | null): void => {
    const turnId = answeredTurn(store, {}, { text: answer });
    const verdict = corrected(turnId, wanted ?? '');
    const taken = { ...verdict, score: 1 as const, hint: null };
    store.recordVerdict(wanted === null ? taken : verdict, null);
  };
  judge('feat: parse', null);
  judge('feat: parse', 'feat: parse a list');
  judge('qqq', 'zzz');
  const [group] = await groups(never);
  assert.deepEqual([group?.version, group?.likened], [BASE_VERSION, 3]);
  assert.ok(group && group.likeness > 140 && group.likeness < 190, String(group?.likeness));
  assert.deepEqual(await groups(never), [group], 'the same when it is remembered');
});
