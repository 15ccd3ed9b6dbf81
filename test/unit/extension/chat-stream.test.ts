/** The extension's side of a chat, against the real gateway. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Hono } from 'hono';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import { type ChatPiece, countTokens, modelFacts, streamChat } from '../../../extension/chat/chat-stream.ts';
import { listen } from '../../fakes/engine.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { HERMES_TEMPLATE } from '../../fixtures/chat-templates.ts';
import { gatewayFixture, TOKEN } from '../../fixtures/gateway.ts';

const never = new AbortController().signal;
const ASKED = { messages: [{ role: 'user' as const, content: 'What is in a.txt?' }] };
const TOOL = { name: 'read_file', description: 'Reads a file.', parameters: { type: 'object' } };
const CALL = 'I look.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a.txt"}}\n</tool_call>';

async function opened(t: TestContext, files = realTokenizerFiles()) {
  const fixture = await gatewayFixture({ files });
  t.after(fixture.close);
  return { ...fixture, address: { url: fixture.gateway.url, key: TOKEN } };
}

async function pieces(stream: AsyncIterable<ChatPiece>): Promise<ChatPiece[]> {
  const all: ChatPiece[] = [];
  for await (const piece of stream) all.push(piece);
  return all;
}

test('CHAT-4: an answer comes piece by piece, calls whole, and names its turn', async (t) => {
  const { address, engine, store } = await opened(t, {
    ...realTokenizerFiles(),
    chatTemplate: HERMES_TEMPLATE,
  });
  engine.reply = CALL;
  const tools = [{ type: 'function' as const, function: TOOL }];
  const [begun, ...rest] = await pieces(streamChat(address, { ...ASKED, tools }, {}, never));
  assert.ok(begun?.type === 'begun' && store.turn(TurnId.parse(begun.turnId)) !== undefined);
  const text = rest.flatMap((piece) => (piece.type === 'text' ? piece.text : [])).join('');
  assert.equal(text, 'I look.');
  const [call, end] = rest.slice(-2);
  assert.ok(call?.type === 'call');
  assert.deepEqual(
    [call.name, call.arguments, end],
    ['read_file', '{"path":"a.txt"}', { type: 'end', reason: 'tool_calls' }],
  );
});

test('CHAT-6: a call cannot be forced, and who wants that is told so', async (t) => {
  const { address } = await opened(t, { ...realTokenizerFiles(), chatTemplate: HERMES_TEMPLATE });
  const tools = [{ type: 'function' as const, function: TOOL }];
  const forced = pieces(streamChat(address, { ...ASKED, tools, tool_choice: 'required' }, {}, never));
  await assert.rejects(forced, { code: 'invalid_request', message: /a call cannot be forced/ });
});

test('CHAT-4: errors keep the gateway’s code, before the answer and within it', async (t) => {
  const { address } = await opened(t);
  const refused = pieces(streamChat({ ...address, key: 'another' }, ASKED, {}, never));
  await assert.rejects(refused, { code: 'unauthorized' });
  const messages = [{ role: 'user' as const, content: 'word '.repeat(9_000) }];
  await assert.rejects(pieces(streamChat(address, { messages }, {}, never)), {
    code: 'context_length_exceeded',
  });
  const aborted = pieces(streamChat(address, ASKED, {}, AbortSignal.abort()));
  await assert.rejects(aborted, { code: 'aborted' });
  const nowhere = pieces(streamChat({ url: 'http://127.0.0.1:1', key: '' }, ASKED, {}, never));
  await assert.rejects(nowhere, { code: 'worker_unavailable' });
});

test('CHAT-4: half an answer is an error', async (t) => {
  const chunk = { choices: [{ delta: { content: 'Half' }, finish_reason: null }] };
  const app = new Hono();
  app.post('/v1/chat/completions', () => new Response(`data: ${JSON.stringify(chunk)}\n\n`));
  const half = await listen(app);
  t.after(half.close);
  await assert.rejects(pieces(streamChat({ url: half.url, key: '' }, ASKED, {}, never)), {
    code: 'worker_unavailable',
    message: /ended early/,
  });
});

test('CHAT-5: the model’s context is told, and whether it was taught tools; tokens are counted', async (t) => {
  const plain = await opened(t, realTokenizerFiles(512));
  const taught = await opened(t, { ...realTokenizerFiles(), chatTemplate: HERMES_TEMPLATE });
  assert.deepEqual(await modelFacts(plain.address, never), { context_length: 512, supported_parameters: [] });
  assert.deepEqual((await modelFacts(taught.address, never))?.supported_parameters, ['tools']);
  const [short, long] = [
    await countTokens(plain.address, 'one', never),
    await countTokens(plain.address, 'one two three', never),
  ];
  assert.ok(short < long && long < 100, `${short} and ${long}`);
});
