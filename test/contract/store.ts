/** The contract of Store. `open` gives the same store again after `close`, unless it lives in memory only. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type TurnId, weightVersion } from '../../agent-server/protocol/ids.ts';
import type { Store, StoreChange } from '../../agent-server/store/store.ts';
import type { Anchor } from '../../agent-server/store/version-types.ts';
import {
  answeredTurn,
  beginBatch,
  commit,
  commitSubject,
  corrected,
  made,
  proposalClosed,
  readySample,
  response,
  sample,
  sha,
  T0,
  thumb,
  turn,
} from '../fixtures/records.ts';
import { batchRules } from './store-batches.ts';
import { forgettingRules } from './store-forgetting.ts';
import { judgementRules } from './store-judgements.ts';
import { comparisonRules, dataRules, panelRules } from './store-panel.ts';
import { rollbackRules } from './store-rollback.ts';

export interface StoreUnderTest {
  open(): Promise<Store>;
  /** Whether `open` after `close` finds what was stored. */
  durable: boolean;
  dispose(): void;
}

export function storeContract(name: string, make: () => StoreUnderTest): void {
  describe(`Store: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      subject = make();
      store = await subject.open();
    });
    afterEach(() => {
      store.close();
      subject.dispose();
    });

    batchRules(() => store);
    rollbackRules(() => store);
    forgettingRules(() => store);
    judgementRules(() => store);
    panelRules(() => store);
    dataRules(() => store);
    comparisonRules(() => store);

    it('keeps the exact ids and logprobs of a turn', () => {
      const begun = turn({ promptIds: [0, 49_151, 7] });
      store.beginTurn(begun);
      assert.deepEqual(store.turn(begun.turnId), {
        ...begun,
        state: 'running',
        response: null,
        closed: null,
        takenFor: 'main',
        parentTurnId: null,
        tools: [],
        answer: null,
        lessonIds: [],
      });
      const answer = response({ behaviourLogprobs: [-0.1234567890123, Number.NaN] });
      store.finishTurn(begun.turnId, answer);
      assert.deepEqual(store.turn(begun.turnId)?.response, answer);
      assert.equal(store.turn(begun.turnId)?.state, 'open');
    });

    it('settles a side turn and one without consent at once, and ends a turn only once', () => {
      assert.equal(store.turn(answeredTurn(store, { kind: 'side' }))?.state, 'settled');
      assert.equal(store.turn(answeredTurn(store, { learnable: false }))?.state, 'settled');
      const begun = turn();
      store.beginTurn(begun);
      store.failTurn(begun.turnId, 'aborted');
      assert.throws(() => store.finishTurn(begun.turnId, response()), ApprenticeError);
      assert.equal(store.turn(begun.turnId)?.state, 'failed');
      store.beginTurn(turn());
      assert.equal(store.failInterruptedTurns(), 1);
    });

    it('STORE-1: an observation reported twice is one row', () => {
      const seen = commit();
      assert.equal(store.addObservation(seen, T0), 'added');
      assert.equal(store.addObservation(seen, T0 + 5), 'duplicate');
      assert.deepEqual(store.queuedObservations(10), [
        { observationId: seen.observationId, observation: seen, receivedAtMs: T0 },
      ]);
    });

    it('STORE-2: leads from an observation to the version that learnt from it', () => {
      const turnId = answeredTurn(store);
      const seen = commit();
      store.addObservation(seen, T0);
      store.attach(seen.observationId, turnId, 'commit', T0, T0);
      assert.deepEqual(store.dueTurns(T0, 10), [{ turnId, reason: 'commit' }]);
      assert.deepEqual(store.nextStates(turnId)[0]?.observation, seen);
      const verdict = corrected(turnId, seen.message);
      const learnt = sample(turnId);
      store.recordVerdict(verdict, learnt);
      assert.deepEqual(store.verdict(turnId), verdict);
      assert.deepEqual(store.dueTurns(T0, 10), []);
      assert.equal(store.turn(turnId)?.state, 'settled');

      const batchId = beginBatch(store, [learnt.sampleId]);
      assert.equal(store.submitBatch(batchId).attempts, 1);
      const version = weightVersion(1);
      store.completeBatch(batchId, made(version));
      store.promote(version, 'first', T0);
      assert.deepEqual(store.sample(learnt.sampleId), { ...learnt, state: 'trained', batchId });
      assert.equal(store.serving(), version);
      assert.deepEqual(store.version(version)?.parent, BASE_VERSION);
      const [shown] = store.panelTurns(1);
      assert.deepEqual(
        [shown?.turnId, shown?.outcome, shown?.batchId, shown?.learntBy, shown?.correction],
        [turnId, 'corrected', batchId, version, seen.message],
      );
      assert.deepEqual(
        store
          .panelVersions(5)
          .map((row) => [row.version, row.state, row.sampleCount])
          .sort(),
        [
          ['policy@v0', 'retired', 0],
          ['policy@v1', 'serving', 1],
        ],
      );
      assert.deepEqual(
        store.curve(5).map((point) => point.accepted),
        [false],
      );
      assert.deepEqual(store.doneCounts(), { serve: 1, environment: 1, judge: 1, train: 1 });
    });

    it('STORE-1: attaching, setting aside and closing are done once', () => {
      const turnId = answeredTurn(store);
      const seen = commit();
      store.addObservation(seen, T0);
      store.attach(seen.observationId, turnId, 'commit', T0, T0);
      store.attach(seen.observationId, turnId, 'commit', T0, T0);
      store.setAside(seen.observationId, 'unmatched', 'too late');
      assert.equal(store.nextStates(turnId).length, 1);
      const cleared = proposalClosed(turnId, 'cleared');
      store.addObservation(cleared, T0);
      store.closeTurn(cleared.observationId, turnId, 'cleared');
      assert.equal(store.turn(turnId)?.closed, null, 'a turn with a next state is not closed');
      assert.throws(() => store.setAside(commit().observationId, 'ignored', ''), { code: 'not_found' });
    });

    it('closes proposals that are cleared, overwritten or expired', () => {
      const first = answeredTurn(store);
      const otherHead = answeredTurn(store, { subject: commitSubject({ head: sha('elsewhere') }) });
      const side = answeredTurn(store, { kind: 'side', createdAtMs: T0 + 1 });
      assert.equal(store.turn(first)?.closed, null);
      const second = answeredTurn(store, { createdAtMs: T0 + 2 });
      assert.deepEqual(
        [first, otherHead, side, second].map((turnId) => store.turn(turnId)?.closed),
        ['overwritten', null, null, null],
      );
      const cleared = proposalClosed(second, 'cleared');
      store.addObservation(cleared, T0);
      store.closeTurn(cleared.observationId, second, 'cleared');
      assert.equal(store.expireTurns(T0 + 20, 10, 100), 1);
      assert.equal(store.expireTurns(T0 + 20, 10, 100), 0);
      const due = store
        .dueTurns(T0 + 1000, 10)
        .map(({ turnId, reason }): [TurnId, string] => [turnId, reason]);
      assert.deepEqual(
        new Map(due),
        new Map([
          [first, 'overwritten'],
          [second, 'cleared'],
          [otherHead, 'expired'],
        ]),
      );
      assert.deepEqual(
        store.proposals('/repo', T0 + 1, 10).map((found) => found.turnId),
        [second, side],
      );
    });

    it('a turn is due at the judge when its window ends, or earlier for an earlier reason', () => {
      const turnId = answeredTurn(store);
      const [seen, liked] = [commit(), thumb(turnId, 1)];
      store.addObservation(seen, T0);
      store.addObservation(liked, T0);
      store.attach(seen.observationId, turnId, 'commit', T0, T0 + 100);
      assert.deepEqual(store.dueTurns(T0 + 99, 10), []);
      assert.equal(store.nextJudgeDueMs(), T0 + 100);
      store.attach(liked.observationId, turnId, 'thumb', T0, T0 + 50);
      assert.equal(store.nextJudgeDueMs(), T0 + 50);
      assert.equal(store.queueLengths(T0).judge, 0);
      assert.equal(store.queueLengths(T0 + 50).judge, 1);
    });

    it('tells of a change after it is stored, and of nothing when nothing changed', () => {
      const heard: StoreChange[] = [];
      const stop = store.onChange((what) => heard.push(what));
      const seen = commit();
      store.addObservation(seen, T0);
      store.addObservation(seen, T0);
      assert.deepEqual(heard, ['observations']);
      stop();
      store.setLearning('on');
      assert.deepEqual(heard, ['observations']);
    });

    it('STORE-8: what is written together is kept together, told of once, and undone together', () => {
      const heard: StoreChange[] = [];
      store.onChange((what) => heard.push(what));
      const [one, two, three] = [commit(), commit(), commit()];
      const unknown = commit();
      store.together(() => {
        store.addObservation(one, T0);
        // A method that throws undoes itself; the others stand.
        assert.throws(() => store.setAside(unknown.observationId, 'ignored', ''), { code: 'not_found' });
        store.together(() => store.addObservation(two, T0));
        assert.deepEqual(heard, [], 'nobody hears of what is not committed');
      });
      assert.deepEqual(heard, ['observations']);
      assert.throws(() =>
        store.together(() => {
          store.addObservation(three, T0);
          throw new Error('in the middle');
        }),
      );
      assert.equal(store.queueLengths(T0).observations, 2);
      assert.deepEqual(heard, ['observations']);
      assert.equal(store.addObservation(three, T0), 'added', 'a transaction that failed blocks nothing');
    });

    it('keeps everything across a restart', async (t) => {
      if (!subject.durable) return t.skip('in memory');
      assert.equal(store.learning(), 'unasked');
      store.setLearning('on');
      const ready = readySample(store);
      const anchor: Anchor = { promptIds: [1], responseIds: [2, 3], baseTop: [[[-0.1, 2]], [[-0.2, 3]]] };
      store.addAnchor(anchor);
      store.close();
      store = await subject.open();
      assert.equal(store.learning(), 'on');
      assert.equal(store.readySamples(1)[0]?.sampleId, ready);
      assert.deepEqual(store.anchors(), [anchor]);
    });
  });
}
