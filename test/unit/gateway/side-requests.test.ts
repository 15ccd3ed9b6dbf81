/** Side requests, and what a request says of the turn before it, as agents' own requests make them over HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_QUEUED_OBSERVATIONS } from '../../../agent-server/store/observations.ts';
import { agentTalk, assistant, type Message, system, user } from '../../fixtures/agent-requests.ts';
import { answeredTurn, T0, thumb } from '../../fixtures/records.ts';

const talk = agentTalk(() => T0);
const { ask, observedOf } = talk;

test('SIDE-1: requests that agents make for themselves are answered, told apart and never learnt from', async () => {
  const one = await ask([user(talk.task)]);
  const conversation = [user(talk.task), assistant('Done.')];
  const cases: [string, Message[], object][] = [
    ['title', [system('You are a title generator. You output only a title.'), user(talk.task)], {}],
    ['title', [user(`Given the following... please reply with a title for the chat:\n${talk.task}`)], {}],
    [
      'summary',
      [...conversation, user('Your task is to create a detailed summary of the conversation so far.')],
      {},
    ],
    ['topic', [system('Analyze if this message indicates a new conversation topic.'), user(talk.task)], {}],
    [
      'helper',
      [system('Your task is to process Bash commands that an AI coding agent wants to run.'), user('ls')],
      {},
    ],
    ['probe', [user('Hi!')], {}],
    ['probe', [system('You are an agent.'), user('test')], { max_tokens: 5 }],
    ['probe', [system('You are an agent.'), user(talk.task)], { max_tokens: 1 }],
  ];
  for (const [takenFor, messages, fields] of cases) {
    const turn = await ask(messages, fields);
    assert.deepEqual(
      [turn.kind, turn.state, turn.takenFor],
      ['side', 'settled', takenFor],
      messages[0]?.content,
    );
    const session = talk.fixture.store.session(turn.sessionId);
    assert.equal(
      session?.takenFor,
      takenFor === 'summary' ? 'main' : takenFor,
      'a summary stands in its session',
    );
  }
  assert.equal(observedOf(one).length, 0, 'nor are they anything that a user said');
  const next = await ask([...conversation, user('Next.')]);
  assert.deepEqual([next.sessionId, next.parentTurnId], [one.sessionId, one.turnId], 'nor do they fork');

  const main: [Message[], object, Record<string, string>][] = [
    [[system('You are an agent.'), user('hi')], {}, {}],
    [
      [user(`Why does my agent say "You are a title generator"? ${talk.task}`)],
      {},
      { 'x-apprentice-turn': 'main' },
    ],
  ];
  for (const [messages, fields, headers] of main)
    assert.equal((await ask(messages, fields, headers)).takenFor, 'main');
  const shown = talk.fixture.store.panelTurns(50).find((turn) => turn.takenFor === 'topic');
  assert.equal(shown?.outcome, 'side');
});

test('NEXT-1: without consent, or of a turn made without it, nothing is observed', async () => {
  const one = await ask([user(talk.task)]);
  talk.fixture.store.setLearning('paused');
  const two = await ask([user(talk.task), assistant('Done.'), user('Next.')]);
  talk.fixture.store.setLearning('on');
  assert.equal(observedOf(one).length, 0);
  await ask([user(talk.task), assistant('Done.'), user('Next.'), assistant('Done.'), user('Last.')]);
  assert.equal(observedOf(two).length, 0);
});

test('NEXT-2: a full queue costs the next state, never the answer', async () => {
  await ask([user(talk.task)]);
  const turnId = answeredTurn(talk.fixture.store);
  talk.fixture.store.together(() => {
    while (talk.fixture.store.queueLengths(T0).observations < MAX_QUEUED_OBSERVATIONS)
      talk.fixture.store.addObservation(thumb(turnId, 1), T0);
  });
  const next = await ask([user(talk.task), assistant('Done.'), user('Next.')]);
  assert.equal(next.state, 'open');
  assert.deepEqual(
    talk.fixture.lost.map((error) => error.code),
    ['queue_full'],
  );
});
