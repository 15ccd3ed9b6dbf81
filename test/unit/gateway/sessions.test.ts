/** Sessions, forks and retries, as agents' own requests make them over HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashRequest } from '../../../agent-server/sessions/conversation-hash.ts';
import { RETRY_WINDOW_MS } from '../../../agent-server/sessions/place-request.ts';
import type { Turn } from '../../../agent-server/store/types.ts';
import { agentTalk, assistant, system, user } from '../../fixtures/agent-requests.ts';
import { chat } from '../../fixtures/gateway.ts';
import { T0, thumb } from '../../fixtures/records.ts';

let nowMs = T0;
const talk = agentTalk(() => nowMs);
const { ask, turnOf, observedOf } = talk;
const again = (turn: Turn): Turn => talk.fixture.store.turn(turn.turnId) ?? assert.fail('the turn is gone');

test('SESSION-1: a request that extends a conversation is its next turn, and what was said is a next state', async () => {
  talk.fixture.engine.reply = ' I wrote it.\r\nSee a.ts.\n';
  const one = await ask([system('You are A. It is 10:30.'), user(talk.task)]);
  const two = await ask(
    [
      system('You are A. It is 10:31.'),
      user(`${talk.task}\n`),
      assistant('I wrote it.\nSee a.ts.'),
      user('Now test it.'),
      user('And be quick.'),
    ],
    {},
    { 'user-agent': 'agent/1' },
  );
  assert.equal(two.sessionId, one.sessionId);
  assert.equal(two.parentTurnId, one.turnId);
  assert.equal(one.parentTurnId, null);
  const session = talk.fixture.store.session(one.sessionId);
  assert.deepEqual([session?.origin, session?.takenFor, session?.fork], ['prefix', 'main', null]);
  const texts = observedOf(one).map((one) => (one.kind === 'user_reply' ? one.text : one.kind));
  assert.deepEqual(texts, ['Now test it.', 'And be quick.']);
});

test('SESSION-7: the panel names the program that began a session', async () => {
  const { turnId } = await ask([user(talk.task)], {}, { 'user-agent': 'opencode/1.18 bun/1.3' });
  const turn = talk.fixture.store.panelTurns(50).find((one) => one.turnId === turnId);
  assert.equal(turn?.client, 'OpenCode');
});

test('SESSION-2: the same request again is a retry: nothing new is observed, and the newest answer counts', async () => {
  const one = await ask([user(talk.task)]);
  const followUp = [user(talk.task), assistant('Done.'), user('Next.')];
  const two = await ask(followUp);
  const retry = await ask(followUp);
  assert.deepEqual([retry.sessionId, retry.parentTurnId], [two.sessionId, one.turnId]);
  assert.equal(observedOf(one).length, 1);
  assert.deepEqual(
    [again(two).state, again(two).closed, again(two).learnable, again(retry).state],
    ['settled', 'retried', false, 'open'],
  );
  const third = await ask([...followUp, assistant('Done.'), user('Good.')]);
  assert.equal(third.parentTurnId, retry.turnId);
  assert.equal(observedOf(two).length, 0, 'a retry is no next state');
});

test('SESSION-2: of answers asked for at once the one that is gone on from counts', async () => {
  const replies = ['A.', 'B.', 'C.'];
  const turns: Turn[] = [];
  for (const reply of replies) {
    talk.fixture.engine.reply = reply;
    turns.push(await ask([user(talk.task)]));
  }
  assert.deepEqual(
    turns.map((turn) => again(turn).closed),
    ['retried', 'retried', null],
  );
  const [, chosen] = turns;
  const next = await ask([user(talk.task), assistant('B.'), user('Good.')]);
  assert.equal(next.parentTurnId, chosen?.turnId);
  assert.deepEqual(
    turns.map((turn) => again(turn).closed),
    ['retried', null, 'retried'],
  );
  assert.deepEqual(
    turns.map((turn) => again(turn).learnable),
    [false, true, false],
  );
  assert.equal(chosen === undefined ? 0 : observedOf(chosen).length, 1);
});

test('SESSION-2: a retry while the first still runs closes the first, whichever ends last', async () => {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const previous = talk.fixture.engine.beforeToken;
  let held = false;
  talk.fixture.engine.beforeToken = async () => {
    if (held) return;
    held = true;
    reached.resolve();
    await go.promise;
  };
  const running = chat(talk.fixture, { messages: [user(talk.task)] });
  await reached.promise;
  const retry = await ask([user(talk.task)]);
  go.resolve();
  const first = turnOf(await running);
  talk.fixture.engine.beforeToken = previous;
  assert.equal(first.sessionId, retry.sessionId);
  assert.deepEqual([again(first).closed, again(retry).closed], ['retried', null]);
});

test('SESSION-2: what is asked again after feedback, or much later, is a turn of its own', async () => {
  const one = await ask([user(talk.task)]);
  const down = thumb(one.turnId, -1);
  talk.fixture.store.addObservation(down, nowMs);
  talk.fixture.store.attach(down.observationId, one.turnId, 'thumb', nowMs, nowMs);
  const two = await ask([user(talk.task)]);
  assert.deepEqual([again(one).closed, again(two).closed], [null, null]);
  nowMs += RETRY_WINDOW_MS + 1;
  await ask([user(talk.task)]);
  assert.equal(again(two).closed, null);
});

test('SESSION-3: an edit of history forks the session after the last turn that both share', async () => {
  const one = await ask([user(talk.task)]);
  const begun = [user(talk.task), assistant('Done.')];
  const two = await ask([...begun, user('Next.')]);
  const edited = await ask([...begun, user('No: something else.')]);
  assert.notEqual(edited.sessionId, two.sessionId);
  assert.equal(edited.parentTurnId, one.turnId);
  assert.deepEqual(talk.fixture.store.session(edited.sessionId)?.fork, {
    from: one.sessionId,
    after: one.turnId,
  });
  assert.equal(observedOf(one).length, 1, 'what was said first is what followed');

  const answerEdited = await ask([...begun, user('Next.'), assistant('Never said.'), user('Go on.')]);
  assert.equal(answerEdited.parentTurnId, one.turnId);
  assert.deepEqual(talk.fixture.store.session(answerEdited.sessionId)?.fork?.after, one.turnId);
  assert.equal(observedOf(two).length, 0);
  // The fork is a session like any other from there on.
  const onwards = await ask([...begun, user('No: something else.'), assistant('Done.'), user('Fine.')]);
  assert.deepEqual([onwards.sessionId, onwards.parentTurnId], [edited.sessionId, edited.turnId]);
});

test('SESSION-4: a client that rewrites what stood before the last exchange goes on in its session', async () => {
  talk.fixture.engine.reply = `Fixed ${talk.task}.`;
  const one = await ask([user('a.ts: old text'), assistant('Ok.'), user(talk.task)]);
  const two = await ask([
    user('a.ts: new text'),
    assistant('Ok.'),
    user(talk.task),
    assistant(`Fixed ${talk.task}.`),
    user('Thanks.'),
  ]);
  assert.deepEqual([two.sessionId, two.parentTurnId], [one.sessionId, one.turnId]);
  assert.equal(observedOf(one).length, 1);
});

test('SESSION-6: what follows an answer that the user stopped goes on in its session, and says nothing of it', async () => {
  const previous = talk.fixture.engine.beforeToken;
  const reached = Promise.withResolvers<void>();
  talk.fixture.engine.beforeToken = (index, signal) => {
    if (index < 1) return Promise.resolve();
    reached.resolve();
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  };
  const client = new AbortController();
  const failed = new Promise<void>((resolve) => {
    const dispose = talk.fixture.store.onChange(() => {
      const [turn] = talk.fixture.store.earlierTurns(
        'request',
        hashRequest([{ role: 'user', content: talk.task }], '').dialogue,
        1,
      );
      if (turn?.state !== 'failed') return;
      dispose();
      resolve();
    });
  });
  const response = await chat(talk.fixture, { messages: [user(talk.task)], stream: true }, {}, client.signal);
  await reached.promise;
  client.abort();
  await failed;
  talk.fixture.engine.beforeToken = previous;
  const stopped = turnOf(response);
  const next = await ask([user(talk.task), assistant('Do'), user('No, the other way.')]);
  assert.deepEqual([next.sessionId, next.parentTurnId], [stopped.sessionId, stopped.turnId]);
  assert.equal(talk.fixture.store.session(next.sessionId)?.fork, null);
  assert.equal(observedOf(stopped).length, 0);
});

test('SESSION-5: a session named by its header is that one, and only ever compared with itself', async () => {
  const unnamed = await ask([user(talk.task)]);
  const named = { 'x-apprentice-session': `mine ${talk.task}` };
  const one = await ask([user(talk.task)], {}, named);
  const two = await ask([user(talk.task), assistant('Done.'), user('Next.')], {}, named);
  const edited = await ask([user(talk.task), assistant('Done.'), user('Else.')], {}, named);
  assert.deepEqual(
    [one, two, edited].map((turn) => turn.sessionId),
    Array(3).fill(`mine ${talk.task}`),
  );
  assert.deepEqual([two.parentTurnId, edited.parentTurnId], [one.turnId, one.turnId]);
  assert.equal(again(unnamed).closed, null);
  assert.equal(talk.fixture.store.session(one.sessionId)?.origin, 'header');
  const other = await ask([system('Another agent.'), user(talk.task)]);
  assert.notEqual(other.sessionId, unnamed.sessionId, 'equal openings of two agents are two sessions');
});
