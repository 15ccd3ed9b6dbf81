/** The part of Store's contract that is about excluding, deleting and forgetting. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import {
  BASE_VERSION,
  type SampleId,
  SessionId,
  type TurnId,
  weightVersion,
} from '../../agent-server/protocol/ids.ts';
import type { UserReplyObservation } from '../../agent-server/protocol/observations.ts';
import type { GateFigures } from '../../agent-server/protocol/promotion.ts';
import type { Store } from '../../agent-server/store/store.ts';
import type { TurnContext } from '../../agent-server/store/types.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  learn,
  made,
  newObservationId,
  newTurnId,
  readySample,
  response,
  sample,
  T0,
  thumb,
  turn,
} from '../fixtures/records.ts';

const [V1, V2, V3] = [weightVersion(1), weightVersion(2), weightVersion(3)];

const CONTEXT: TurnContext = {
  origin: 'prefix',
  client: null,
  takenFor: 'main',
  parentTurnId: null,
  retryOf: null,
  fork: null,
  hashes: null,
  tools: [],
  lessonIds: [],
};

const FIGURES: GateFigures = {
  turns: 5,
  heldOut: 2,
  meanDifference: -1,
  lowerBound: -1.5,
  confidence: 0.9,
  margin: 0.3,
  driftNats: null,
  servingDriftNats: null,
  maxDriftNats: 0.3,
  scoredTokens: 100,
  seconds: 1,
};

function userReply(turnId: TurnId, text: string): UserReplyObservation {
  const observedAt = new Date(T0).toISOString();
  return { kind: 'user_reply', observationId: newObservationId(), observedAt, turnId, text };
}

const stateOf = (store: Store, sampleId: SampleId) => store.sample(sampleId)?.state;
function turnOf(store: Store, sampleId: SampleId): TurnId {
  const found = store.sample(sampleId);
  assert.ok(found);
  return found.turnId;
}
const tainted = (store: Store) =>
  store.versions().flatMap(({ version, tainted: why }) => (why === null ? [] : [`${version} ${why}`]));

/** `store` is asked for within a test: each has one of its own. */
export function forgettingRules(store: () => Store): void {
  it('FORGET-1: excluding marks every version that learnt from it in any role, and can be taken back', () => {
    const first = learn(store());
    learn(store());
    const third = learn(store(), [first]);
    store().excludeTurn(turnOf(store(), third), 'excluded');
    assert.deepEqual(tainted(store()), [`${V3} excluded`]);
    store().excludeTurn(turnOf(store(), first), 'excluded');
    assert.deepEqual(tainted(store()), [`${V1} excluded`, `${V2} excluded`, `${V3} excluded`]);
    assert.ok(
      !store()
        .replaySamples(9, [])
        .some(({ sampleId }) => sampleId === first),
    );
    store().excludeTurn(turnOf(store(), first), 'included');
    assert.deepEqual(tainted(store()), [`${V3} excluded`]);
    assert.throws(() => store().excludeTurn(newTurnId(), 'excluded'), ApprenticeError);
  });

  it('FORGET-2: a sample excluded while it waits or is in a batch is not trained, and its neighbours are', () => {
    const [waiting, batched, neighbour] = [readySample(store()), readySample(store()), readySample(store())];
    const batchId = beginBatch(store(), [batched, neighbour]);
    store().excludeTurn(turnOf(store(), waiting), 'excluded');
    assert.equal(store().openBatch()?.batchId, batchId);
    store().excludeTurn(turnOf(store(), batched), 'excluded');
    assert.equal(store().openBatch(), undefined);
    assert.deepEqual(
      store()
        .readySamples(9)
        .map(({ sampleId }) => sampleId),
      [neighbour],
    );
    assert.equal(store().queueLengths(T0).samplesReady, 1);
    store().excludeTurn(turnOf(store(), batched), 'included');
    beginBatch(store(), [batched, neighbour]);
  });

  it('FORGET-3: a sample held after a failed step gets another try when it is included', () => {
    const held = readySample(store());
    store().completeBatch(beginBatch(store(), [held]), made(V1));
    store().rejectVersion(V1, 'worse', T0);
    assert.equal(stateOf(store(), held), 'held');
    store().excludeTurn(turnOf(store(), held), 'included');
    assert.equal(stateOf(store(), held), 'ready');
    beginBatch(store(), [held]);
  });

  it('FORGET-4: a deleted turn is gone with all that was said of it, and its versions are marked for good', () => {
    const sampleId = learn(store());
    const other = learn(store(), [sampleId]);
    const turnId = turnOf(store(), sampleId);
    const seen = thumb(turnId, -1);
    store().addObservation(seen, T0);
    store().attach(seen.observationId, turnId, 'thumb', T0, T0);
    const waiting = thumb(turnId, 1);
    store().addObservation(waiting, T0);
    assert.deepEqual(store().deleteTurn(turnId), { turns: 1, tainted: [V1, V2] });
    assert.deepEqual(
      [store().turn(turnId), store().sample(sampleId), store().verdict(turnId)],
      [undefined, undefined, undefined],
    );
    assert.deepEqual([store().nextStates(turnId), store().queuedObservations(9)], [[], []]);
    assert.equal(store().addObservation(seen, T0), 'added', 'nothing remembers that it was seen');
    assert.deepEqual(tainted(store()), [`${V1} deleted`, `${V2} deleted`]);
    store().excludeTurn(turnOf(store(), other), 'excluded');
    store().excludeTurn(turnOf(store(), other), 'included');
    assert.deepEqual(tainted(store()), [`${V1} deleted`, `${V2} deleted`], 'a deletion is not taken back');
    assert.throws(() => store().deleteTurn(turnId), ApprenticeError);
  });

  it('FORGET-4: retries and the later turns of its conversation repeat its text and go with it', () => {
    const ask = (fields: Partial<TurnContext> = {}) => {
      const begun = turn({ subject: { kind: 'chat' } });
      store().beginTurn(begun, { ...CONTEXT, ...fields });
      store().finishTurn(begun.turnId, response());
      return begun.turnId;
    };
    const before = ask();
    const [first, other] = [ask({ parentTurnId: before }), ask()];
    const retry = ask({ parentTurnId: before, retryOf: first });
    const later = ask({ parentTurnId: retry });
    const reply = userReply(before, 'the words of the first turn');
    const afterwards = userReply(first, 'the words of the later turn');
    for (const [seen, of] of [
      [reply, before],
      [afterwards, first],
    ] as const) {
      store().addObservation(seen, T0);
      store().attach(seen.observationId, of, 'user_reply', T0, T0);
    }
    assert.equal(store().deleteTurn(first).turns, 3);
    assert.deepEqual(
      [before, first, retry, later, other].map((turnId) => store().turn(turnId) !== undefined),
      [true, false, false, false, true],
    );
    assert.deepEqual(store().nextStates(before), [], 'the reply to the turn before was the deleted request');
  });

  it('FORGET-4: a lesson of a deleted turn goes, and is taken out of the prompts that it stood in', () => {
    const taught = readySample(store());
    const [lesson] = store().lessons(9);
    assert.ok(lesson);
    const begun = turn({ subject: { kind: 'chat' }, promptIds: [7, 8, 9] });
    store().beginTurn(begun, { ...CONTEXT, lessonIds: [lesson.lessonId] });
    store().finishTurn(begun.turnId, response());
    store().deleteTurn(turnOf(store(), taught));
    assert.deepEqual(store().lessons(9), []);
    assert.deepEqual(store().turn(begun.turnId)?.promptIds, []);
    assert.deepEqual(store().turn(begun.turnId)?.lessonIds, [lesson.lessonId], 'trained by its messages');
  });

  it('FORGET-1: the panel says what was left out, and why a version failed or is marked', () => {
    const first = learn(store());
    store().excludeTurn(turnOf(store(), first), 'excluded');
    store().completeBatch(beginBatch(store(), [readySample(store())]), made(V2));
    store().rejectVersion(V2, 'worse', T0, FIGURES);
    const [rejected, marked] = store().panelVersions(9);
    assert.deepEqual([rejected?.state, rejected?.reason, rejected?.figures], ['failed', 'worse', FIGURES]);
    assert.deepEqual([marked?.reason, marked?.tainted], ['better', 'excluded']);
    const shown = store()
      .panelTurns(9)
      .find(({ turnId }) => turnId === turnOf(store(), first));
    assert.deepEqual([shown?.excluded, shown?.learntBy], [true, V1]);
  });

  it('FORGET-5: deleting a session deletes its turns and no other; an open batch with one of them is given up', () => {
    const session = SessionId.parse('to be deleted');
    const doomed = answeredTurn(store(), { sessionId: session, subject: { kind: 'chat' } });
    const ready = sample(doomed);
    store().recordVerdict(corrected(doomed, 'no'), ready);
    const kept = readySample(store());
    beginBatch(store(), [ready.sampleId, kept]);
    assert.equal(store().deleteSession(session).turns, 1);
    assert.equal(store().turn(doomed), undefined);
    assert.deepEqual(
      store()
        .readySamples(9)
        .map(({ sampleId }) => sampleId),
      [kept],
    );
    assert.throws(() => store().deleteSession(session), ApprenticeError);
  });

  it('FORGET-6: forgetting goes back to the last clean ancestor; what later versions learnt besides is ready', () => {
    const [first, second, third] = [learn(store()), learn(store()), learn(store())];
    store().deleteTurn(turnOf(store(), second));
    const open = readySample(store());
    beginBatch(store(), [open]);
    assert.deepEqual(store().forget(store().cleanAncestor(), T0 + 9), {
      serving: V1,
      forgotten: [V2, V3],
      samplesReady: 1,
    });
    assert.deepEqual([store().serving(), stateOf(store(), first)], [V1, 'trained']);
    assert.deepEqual(
      store()
        .readySamples(9)
        .map(({ sampleId }) => sampleId),
      [third, open],
    );
    assert.deepEqual(
      [V2, V3].map((version) => store().version(version)).map((row) => [row?.state, row?.folder]),
      [
        ['failed', null],
        ['failed', null],
      ],
    );
    assert.throws(() => store().goBack(V3, 'no', T0), ApprenticeError);
    assert.throws(() => store().forget(BASE_VERSION, T0), ApprenticeError);
    assert.deepEqual(store().forget(V1, T0 + 10).forgotten, [], 'nothing is left to forget');
    learn(store());
    assert.equal(store().version(weightVersion(5))?.parent, V1);
  });

  it('FORGET-7: deleting everything leaves the base, the settings and the anchors; numbers go on', () => {
    store().setLearning('on');
    store().addAnchor({ promptIds: [1], responseIds: [2], baseTop: [[[-1, 2]]] });
    learn(store());
    beginBatch(store(), [readySample(store())]);
    store().deleteEverything(T0 + 9);
    assert.deepEqual(
      store()
        .versions()
        .map(({ version, state }) => [version, state]),
      [[BASE_VERSION, 'serving']],
    );
    assert.deepEqual(
      [store().panelTurns(9), store().openBatch(), store().promotions(9)],
      [[], undefined, []],
    );
    assert.deepEqual(store().doneCounts(), { serve: 0, environment: 0, judge: 0, train: 0 });
    assert.deepEqual([store().learning(), store().anchors().length], ['on', 1]);
    assert.equal(store().nextVersion(), V3, 'a number is never given to other weights');
    learn(store());
    store().deleteEverything(T0 + 10);
    assert.equal(store().nextVersion(), weightVersion(4));
  });
}
