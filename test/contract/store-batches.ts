/** The part of Store's contract that is about samples, the batches they are in and the versions these make. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../agent-server/protocol/ids.ts';
import type { Store } from '../../agent-server/store/store.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  made,
  newSampleId,
  readySample,
  sample,
  T0,
} from '../fixtures/records.ts';

/** `store` is asked for within a test: each has one of its own. */
export function batchRules(store: () => Store): void {
  it('LESSON-9, LESSON-16: where nothing was given with a lesson, nothing is to be checked and nothing was learnt of it', () => {
    const turnId = answeredTurn(store());
    assert.equal(store().demonstrationsLearnt(turnId), 0);
    assert.equal(store().nextLessonCheck(BASE_VERSION, { answers: 1, limit: 1 }), undefined);
  });

  it('SETTLE-6: a later verdict replaces a sample that waits; beside one in a batch it makes another', () => {
    const turnId = answeredTurn(store());
    store().recordVerdict(corrected(turnId, 'one'), sample(turnId));
    const second = sample(turnId, { hint: { kind: 'rewrite', text: 'two' } });
    store().recordVerdict(corrected(turnId, 'two'), second);
    assert.deepEqual(store().sampleOfTurn(turnId), second);
    store().recordVerdict(
      { ...corrected(turnId, ''), score: null, hint: null, decidedBy: 'none:cleared' },
      null,
    );
    assert.equal(store().sampleOfTurn(turnId), undefined);
    store().recordVerdict(corrected(turnId, 'two'), second);
    beginBatch(store(), [second.sampleId]);
    store().recordVerdict(corrected(turnId, 'two'), sample(turnId, { hint: second.hint }));
    assert.equal(store().sampleOfTurn(turnId)?.sampleId, second.sampleId);
    const third = sample(turnId, { hint: { kind: 'rewrite', text: 'three' } });
    store().recordVerdict(corrected(turnId, 'three'), third);
    assert.equal(store().sample(second.sampleId)?.state, 'batched');
    const [waiting, ...others] = store().readySamples(5);
    assert.deepEqual([{ ...waiting, note: null }, others], [third, []]);
    assert.match(waiting?.note ?? '', new RegExp(`after sample ${second.sampleId} was in a batch`));
  });

  it('STORE-3: a sample is new in one batch, a version has one batch, and one batch is open at a time', () => {
    const [a, b] = [readySample(store(), T0), readySample(store(), T0 + 1)];
    assert.deepEqual(
      store()
        .readySamples(10)
        .map((found) => found.sampleId),
      [a, b],
    );
    const batchId = beginBatch(store(), [a]);
    assert.throws(() => beginBatch(store(), [b]), ApprenticeError);
    assert.equal(store().sample(b)?.state, 'ready', 'a refused batch takes no sample');
    assert.equal(store().openBatch()?.batchId, batchId);
    store().completeBatch(batchId, made(weightVersion(1)));
    store().completeBatch(batchId, made(weightVersion(1)));
    assert.equal(store().doneCounts().train, 1);
    assert.throws(() => beginBatch(store(), [a]), ApprenticeError, 'trained already');
    assert.throws(() => beginBatch(store(), [newSampleId()]), ApprenticeError, 'unknown');
    assert.equal(store().nextVersion(), 'policy@v2');
    assert.deepEqual(
      store()
        .replaySamples(5, [])
        .map((found) => found.sampleId),
      [a],
    );
    assert.deepEqual(store().replaySamples(5, [a]), []);
    const next = beginBatch(store(), [b], [a]);
    assert.deepEqual(store().batchSamples(next), [
      { sampleId: b, origin: 'new' },
      { sampleId: a, origin: 'replay' },
    ]);
  });

  it('holds a ready sample with the reason, and no other', () => {
    const [held, batched] = [readySample(store(), T0), readySample(store(), T0 + 1)];
    beginBatch(store(), [batched]);
    for (const sampleId of [held, batched]) store().holdSample(sampleId, 'known already');
    assert.deepEqual([store().sample(held)?.state, store().sample(held)?.note], ['held', 'known already']);
    assert.deepEqual([store().sample(batched)?.state, store().sample(batched)?.note], ['batched', null]);
  });

  it('a batch given up holds its samples and its version never serves', () => {
    const held = readySample(store());
    const batchId = beginBatch(store(), [held]);
    store().failBatch(batchId, 'the trainer refused it');
    assert.equal(store().sample(held)?.state, 'held');
    assert.equal(store().openBatch(), undefined);
    assert.throws(() => store().promote(weightVersion(1), 'no', T0), ApprenticeError);
    assert.throws(() => store().completeBatch(batchId, made(weightVersion(1))), ApprenticeError);
    assert.equal(store().serving(), BASE_VERSION);
    assert.equal(store().nextVersion(), 'policy@v2', 'a number is never used again');
  });

  it('rejects a trained version, and can go back to a retired one', () => {
    const first = beginBatch(store(), [readySample(store())]);
    store().completeBatch(first, made(weightVersion(1)));
    store().promote(weightVersion(1), 'better', T0);
    const second = beginBatch(store(), [readySample(store())]);
    store().completeBatch(second, made(weightVersion(2)));
    store().rejectVersion(weightVersion(2), 'worse', T0);
    assert.equal(store().version(weightVersion(2))?.state, 'failed');
    store().goBack(BASE_VERSION, 'undone', T0);
    assert.equal(store().serving(), BASE_VERSION);
  });
}
