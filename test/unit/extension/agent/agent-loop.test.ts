/** The agent's loop against the real gateway: each answer is a turn, each result its next state, and it ends. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { TurnId } from '../../../../agent-server/protocol/ids.ts';
import { type LoopParts, MAX_STEPS, runLoop } from '../../../../extension/agent/agent-loop.ts';
import { defineTool, resultOf } from '../../../../extension/agent/tool.ts';
import { type GatewayMessage, streamChat } from '../../../../extension/chat/chat-stream.ts';
import { realTokenizerFiles } from '../../../fakes/in-process-engine.ts';
import { HERMES_TEMPLATE } from '../../../fixtures/chat-templates.ts';
import { gatewayFixture, TOKEN } from '../../../fixtures/gateway.ts';

const READ = { name: 'read_file', description: 'Reads a file.', parameters: { type: 'object' } };
const calling = (path: string): string =>
  `I look.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "${path}"}}\n</tool_call>`;
const ASKED: GatewayMessage[] = [
  { role: 'system', content: 'You are an agent.' },
  { role: 'user', content: 'What is in a.txt?' },
];

async function opened(t: TestContext) {
  const fixture = await gatewayFixture({ files: { ...realTokenizerFiles(), chatTemplate: HERMES_TEMPLATE } });
  t.after(fixture.close);
  const turns: string[] = [];
  const parts = (call: LoopParts['call']): LoopParts => ({
    ask: (messages, signal) =>
      streamChat(
        { url: fixture.gateway.url, key: TOKEN },
        { messages, tools: [{ type: 'function', function: READ }], parallel_tool_calls: false },
        { 'x-apprentice-session': 'chat-1', 'x-apprentice-turn': 'main' },
        signal,
      ),
    call,
    onTurn: (turnId) => turns.push(turnId),
    onText: () => undefined,
  });
  return { ...fixture, turns, parts };
}

const never = new AbortController().signal;

test('AGENT-1: a call is done and answered, and its result is the next state of the turn that made it', async (t) => {
  const { engine, store, turns, parts } = await opened(t);
  engine.reply = calling('a.txt');
  const end = await runLoop(
    parts(async (call, turnId) => {
      assert.deepEqual([turnId, call.function.arguments], [turns.at(-1), '{"path":"a.txt"}']);
      engine.reply = 'A greeting.';
      return 'hello';
    }),
    ASKED,
    never,
  );
  assert.deepEqual([end.kind, end.answer, end.steps.length], ['answered', 'A greeting.', 2]);
  assert.deepEqual(turns.length, 2);
  const [observed, ...others] = store.queuedObservations(10).map(({ observation }) => observation);
  assert.ok(observed?.kind === 'tool_result' && others.length === 0);
  assert.deepEqual([observed.turnId, observed.toolName, observed.text], [turns[0], 'read_file', 'hello']);
  assert.equal(store.turn(TurnId.parse(turns[1]))?.parentTurnId, turns[0]);
});

test('AGENT-1: it ends after so many answers', async (t) => {
  const { engine, turns, parts } = await opened(t);
  let calls = 0;
  engine.reply = calling('a.txt');
  const end = await runLoop(
    parts(async () => {
      calls += 1;
      engine.reply = calling(`${calls}.txt`);
      return 'hello';
    }),
    ASKED,
    never,
  );
  assert.deepEqual(
    [end.kind, turns.length, calls, end.steps.length],
    ['steps', MAX_STEPS, MAX_STEPS, 2 * MAX_STEPS],
  );
});

test('AGENT-1: stopped in the middle of a call, what was done by then is kept, and the call has a result', async (t) => {
  const { engine, turns, parts } = await opened(t);
  const stop = new AbortController();
  engine.reply = calling('a.txt');
  const end = await runLoop(
    parts(async (_call, _turnId, signal) => {
      stop.abort();
      signal.throwIfAborted();
      return '';
    }),
    ASKED,
    stop.signal,
  );
  assert.deepEqual([end.kind, end.turnId], ['failed', turns[0]]);
  assert.deepEqual(end.steps.at(-1)?.content, 'The user stopped this before it was done.');
});

test('AGENT-1: an error of the gateway ends it with its code', async (t) => {
  const { parts, engine } = await opened(t);
  engine.reply = calling('a.txt');
  const long = [{ role: 'user' as const, content: 'word '.repeat(20_000) }];
  const end = await runLoop(
    parts(async () => ''),
    long,
    never,
  );
  assert.equal(end.kind, 'failed');
  assert.match(String(end.error), /context/);
});

test('AGENT-1: what is wrong with a call is told to the model', async () => {
  const Args = z.object({ a: z.int().min(1), b: z.int().default(1) });
  const add = defineTool('add', 'Adds.', Args, async ({ a, b }) => `${a + b}`);
  assert.deepEqual(add.parameters, {
    type: 'object',
    properties: { a: { type: 'integer', minimum: 1 }, b: { type: 'integer', default: 1 } },
    required: ['a'],
  });
  const call = {
    turnId: 't',
    callId: 'c',
    signal: never,
    maxChars: 100,
    get stream(): never {
      throw new Error('This tool shows nothing.');
    },
  };
  const result = async (name: string, given: string) =>
    (await resultOf([add], { name, arguments: given }, call)).text;
  assert.equal(await result('add', '{"a": 2}'), '3');
  assert.match(await result('add', '{"a": "two"}'), /^Error: The arguments are not right\..*at a/s);
  assert.match(await result('add', ''), /^Error: The arguments are not right/);
  assert.equal(await result('add', '{"a": '), 'Error: The arguments are no JSON.');
  assert.equal(await result('sub', '{}'), 'Error: There is no tool sub. There are: add.');
});
