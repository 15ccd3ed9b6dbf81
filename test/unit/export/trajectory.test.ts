/** A session as ATIF trajectories: tools and their results, a fork, what followed beside the messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExportedTurn, trajectories } from '../../../agent-server/export/trajectory.ts';
import type { PlainMessage } from '../../../agent-server/protocol/gateway.ts';
import type { TurnId } from '../../../agent-server/protocol/ids.ts';
import type { Turn } from '../../../agent-server/store/types.ts';
import { Atif } from '../../fixtures/atif.ts';
import { commit, corrected, response, T0, turn } from '../../fixtures/records.ts';

const AGENT = { name: 'aider', version: 'unknown' };
const READ = { id: 'call-1', name: 'read', arguments: '{"path":"a.ts"}' };
const BAD = { id: 'call-2', name: 'read', arguments: 'a.ts' };

function answered(
  messages: PlainMessage[],
  answer: Partial<Turn['answer'] & object>,
  parentTurnId: TurnId | null,
  fields: Partial<ExportedTurn> = {},
): ExportedTurn {
  const made = response({ behaviourLogprobs: [-0.5, -1] });
  return {
    turn: {
      ...turn({ messages }),
      state: 'settled',
      response: made,
      closed: null,
      takenFor: 'main',
      parentTurnId,
      tools: [{ name: 'read', description: 'Reads a file.', parameters: { type: 'object' } }],
      answer: { content: '', reasoning: '', toolCalls: [], ...answer },
      lessonIds: [],
    },
    response: made,
    nextStates: [],
    verdict: undefined,
    ...fields,
  };
}

const ASKED: PlainMessage[] = [
  { role: 'system', content: 'You are an agent.' },
  { role: 'user', content: 'What is in a.ts?' },
];
const called = answered(ASKED, { reasoning: 'I shall look.', toolCalls: [READ, BAD] }, null);
const afterTools: PlainMessage[] = [
  ...ASKED,
  { role: 'assistant', content: '', toolCalls: [READ, BAD] },
  { role: 'tool', content: 'export const a = 1;', callId: 'call-1', name: 'read', isError: false },
  { role: 'tool', content: 'no such tool call', callId: 'call-9', name: null, isError: null },
];
const told = answered(afterTools, { content: 'A constant.' }, called.turn.turnId);
const asked = (content: string): PlainMessage[] => [
  ...afterTools,
  { role: 'assistant', content: 'A constant.' },
  { role: 'user', content },
];
const first = answered(asked('Rename it.'), { content: 'Done.' }, told.turn.turnId);
const seen = commit({ message: 'Rename a' });
const second = answered(asked('Delete it.'), { content: 'Gone.' }, told.turn.turnId, {
  nextStates: [
    {
      turnId: told.turn.turnId,
      observationId: seen.observationId,
      kind: 'commit',
      observedAtMs: T0,
      observation: seen,
    },
  ],
  verdict: corrected(told.turn.turnId, 'Rename a'),
});

test('PANEL-9: each path through a session is a trajectory by the rules of ATIF, its steps in order, none lost', () => {
  const made = trajectories([called, told, first, second], AGENT);
  const documents = made.map((one) => Atif.parse(JSON.parse(JSON.stringify(one))));
  assert.deepEqual(
    documents.map(({ trajectory_id }) => trajectory_id),
    [first.turn.turnId, second.turn.turnId],
  );
  const [one, other] = documents;
  assert.deepEqual(
    one?.steps.map(({ source, message }) => [source, message]),
    [
      ['system', 'You are an agent.'],
      ['user', 'What is in a.ts?'],
      ['agent', ''],
      ['agent', 'A constant.'],
      ['user', 'Rename it.'],
      ['agent', 'Done.'],
    ],
  );
  const call = one?.steps[2];
  assert.equal(call?.reasoning_content, 'I shall look.');
  assert.deepEqual(
    call?.tool_calls?.map((each) => [each.arguments, each.extra]),
    [
      [{ path: 'a.ts' }, undefined],
      [{}, { arguments: 'a.ts' }],
    ],
    'arguments that are no object are kept beside',
  );
  assert.deepEqual(call?.observation?.results, [
    { source_call_id: 'call-1', content: 'export const a = 1;' },
    { content: 'no such tool call' },
  ]);
  assert.deepEqual(
    other?.steps.map(({ is_copied_context }) => is_copied_context ?? false),
    [true, true, true, true, false, false],
    'what the first trajectory holds is marked in the second',
  );
  const last = other?.steps.at(-1);
  assert.equal(last?.extra?.['score'], -1);
  assert.deepEqual(
    last?.observation?.results.map(({ content, extra }) => [content, extra?.['kind']]),
    [['The user committed with this message:\nRename a', 'commit']],
  );
  assert.equal(one?.agent.tool_definitions?.length, 1);
});

test('PANEL-9: a client that cuts its history short loses only what it cut', () => {
  const short = answered(
    [{ role: 'user', content: 'And b.ts?' }],
    { content: 'Nothing.' },
    first.turn.turnId,
  );
  const [made] = trajectories([called, told, first, short], AGENT);
  const { steps } = Atif.parse(JSON.parse(JSON.stringify(made)));
  assert.deepEqual(
    steps.slice(-2).map(({ message }) => message),
    ['And b.ts?', 'Nothing.'],
  );
});
