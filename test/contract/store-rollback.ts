/** The part of Store's contract that is about which version serves: going back, and losing one. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type SampleId, weightVersion } from '../../agent-server/protocol/ids.ts';
import type { Store } from '../../agent-server/store/store.ts';
import { beginBatch, learn, made, readySample, T0 } from '../fixtures/records.ts';

const [V1, V2, V3] = [weightVersion(1), weightVersion(2), weightVersion(3)];
const stateOf = (store: Store, sampleId: SampleId) => store.sample(sampleId)?.state;

/** `store` is asked for within a test: each has one of its own. */
export function rollbackRules(store: () => Store): void {
  it('PROMOTE-6: a version serves only over the one that it was trained from', () => {
    learn(store());
    const late = beginBatch(store(), [readySample(store())]);
    store().completeBatch(late, made(V2));
    store().goBack(BASE_VERSION, 'undone', T0);
    assert.throws(() => store().promote(V2, 'better', T0), ApprenticeError);
    assert.equal(store().serving(), BASE_VERSION);
  });

  it('ROLLBACK-1: going back retires what came later, holds what only that had learnt, and can be undone', () => {
    const [first, second, third] = [learn(store()), learn(store()), learn(store())];
    store().goBack(V1, 'the user asked for it', T0 + 5);
    assert.deepEqual(
      store()
        .versions()
        .map(({ state }) => state),
      ['retired', 'serving', 'retired', 'retired'],
    );
    assert.deepEqual(
      [first, second, third].map((id) => stateOf(store(), id)),
      ['trained', 'held', 'held'],
    );
    assert.deepEqual(
      store()
        .replaySamples(9, [])
        .map(({ sampleId }) => sampleId),
      [first],
      'what was undone is not taught again by replay',
    );
    const fourth = learn(store());
    assert.equal(store().version(weightVersion(4))?.parent, V1);
    store().goBack(V3, 'forward again', T0 + 6);
    assert.deepEqual(
      [first, second, third, fourth].map((id) => stateOf(store(), id)),
      ['trained', 'trained', 'trained', 'held'],
    );
    assert.equal(store().promotions(1)[0]?.reason, 'forward again');
    assert.throws(() => store().goBack(weightVersion(9), 'no such', T0), ApprenticeError);
  });

  it('ROLLBACK-2: what was under way when the user went back never serves, and its samples are ready again', () => {
    learn(store());
    const [undecided, open] = [readySample(store()), readySample(store())];
    store().completeBatch(beginBatch(store(), [undecided]), made(V2));
    const batchId = beginBatch(store(), [open]);
    store().goBack(BASE_VERSION, 'undone', T0);
    assert.deepEqual(
      [V2, V3].map((version) => store().version(version)?.state),
      ['failed', 'failed'],
    );
    assert.equal(store().batch(batchId)?.state, 'failed');
    assert.throws(() => store().completeBatch(batchId, made(V3)), ApprenticeError);
    assert.deepEqual(
      new Set(
        store()
          .readySamples(9)
          .map(({ sampleId }) => sampleId),
      ),
      new Set([undecided, open]),
    );
    beginBatch(store(), [undecided, open]);
  });

  it('FALLBACK-1: a lost version fails, its nearest usable ancestor serves, what they had learnt is ready', () => {
    const [first, second] = [learn(store()), learn(store())];
    assert.equal(store().fallBack(V2, 'failed', 'its folder is damaged', T0), V1);
    assert.deepEqual([store().serving(), store().version(V2)?.state], [V1, 'failed']);
    assert.deepEqual([stateOf(store(), first), stateOf(store(), second)], ['trained', 'ready']);
    assert.equal(store().fallBack(V2, 'failed', 'again', T0), V1, 'told twice, done once');
  });

  it('FALLBACK-5: with another base model the base serves, what was learnt is held, and the way back is open', () => {
    const learnt = [learn(store()), learn(store()), learn(store())];
    assert.equal(store().fallBack(V3, 'retired', 'another base', T0), BASE_VERSION);
    assert.deepEqual([store().version(V3)?.state, store().readySamples(9)], ['retired', []]);
    assert.deepEqual(new Set(learnt.map((id) => stateOf(store(), id))), new Set(['held']));
    store().goBack(V3, 'the model is set again', T0);
    assert.deepEqual(new Set(learnt.map((id) => stateOf(store(), id))), new Set(['trained']));
  });
}
