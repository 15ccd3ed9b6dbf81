/** Anthropic's own client against the gateway: the same turns in another shape. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic, { AuthenticationError, BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import type { MessageParam, MessageStreamEvent, Tool } from '@anthropic-ai/sdk/resources/messages';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { THINKING_TEMPLATE } from '../../fixtures/chat-templates.ts';
import { type GatewayFixture, gatewayFixture, TOKEN } from '../../fixtures/gateway.ts';

const BASE = { model: 'apprentice', max_tokens: 200 };
const TOOLS: Tool[] = [
  { name: 'ls', description: 'Lists a folder.', input_schema: { type: 'object', properties: {} } },
];
const ASKED: MessageParam[] = [{ role: 'user', content: 'What is here?' }];
const CALL =
  'I look.\n</think>\n\nLet me see.\n<tool_call>\n{"name": "ls", "arguments": {"path": "."}}\n</tool_call>';

let fixture: GatewayFixture;
let client: Anthropic;
before(async () => {
  fixture = await gatewayFixture({
    files: { ...realTokenizerFiles(600), chatTemplate: THINKING_TEMPLATE },
  });
  client = new Anthropic({ apiKey: TOKEN, baseURL: fixture.gateway.url, maxRetries: 0 });
});
after(() => fixture.close());

test('MSG-1: a message has text, thinking when asked for, and calls; its result is a next state', async () => {
  fixture.engine.reply = CALL;
  const first = await client.messages.create({
    ...BASE,
    max_tokens: 1100,
    system: [{ type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } }],
    tools: TOOLS,
    messages: ASKED,
    thinking: { type: 'enabled', budget_tokens: 1024 },
    metadata: { user_id: 'me' },
    service_tier: 'auto',
  });
  assert.deepEqual(
    first.content.map((block) => block.type),
    ['thinking', 'text', 'tool_use'],
  );
  const [thought, text, use] = first.content;
  assert.ok(thought?.type === 'thinking' && text?.type === 'text' && use?.type === 'tool_use');
  assert.deepEqual(
    [thought.thinking, text.text, use.name, use.input],
    ['I look.', 'Let me see.', 'ls', { path: '.' }],
  );
  assert.equal(first.stop_reason, 'tool_use');
  assert.ok(first.usage.input_tokens > 20 && first.usage.output_tokens > 10);

  fixture.engine.reply = 'So.\n</think>\nNothing.';
  const second = await client.messages.create({
    ...BASE,
    system: 'You are an agent. It is 10:31 now.',
    tools: TOOLS,
    messages: [
      ...ASKED,
      { role: 'assistant', content: first.content },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: use.id,
            is_error: true,
            content: [{ type: 'text', text: 'no such folder' }],
          },
          { type: 'text', text: 'Go on.' },
        ],
      },
    ],
  });
  assert.deepEqual(second.content, [{ type: 'text', text: 'Nothing.', citations: null }]);
  assert.equal(second.stop_reason, 'end_turn');
  const [asked, answered] = [first.id, second.id].map((id) => fixture.store.turn(TurnId.parse(id)));
  assert.equal(answered?.parentTurnId, asked?.turnId);
  assert.equal(answered?.sessionId, asked?.sessionId);
  const observed = fixture.store.queuedObservations(10).map((one) => one.observation);
  const [result, reply] = observed;
  assert.ok(observed.length === 2 && result?.kind === 'tool_result' && reply?.kind === 'user_reply');
  assert.deepEqual(
    [result.callId, result.toolName, result.isError, result.text, reply.text],
    [use.id, 'ls', true, 'no such folder', 'Go on.'],
  );
});

test('MSG-2: a stream has every event of its blocks in order, and adds up to the whole message', async () => {
  fixture.engine.reply = CALL;
  const events: MessageStreamEvent[] = [];
  const stream = client.messages.stream({
    ...BASE,
    max_tokens: 1100,
    tools: TOOLS,
    messages: ASKED,
    thinking: { type: 'enabled', budget_tokens: 1024 },
  });
  stream.on('streamEvent', (event) => events.push(event));
  const message = await stream.finalMessage();
  const [thought, text, use] = message.content;
  assert.ok(thought?.type === 'thinking' && text?.type === 'text' && use?.type === 'tool_use');
  assert.deepEqual([thought.thinking, text.text, use.input], ['I look.', 'Let me see.', { path: '.' }]);
  assert.deepEqual([message.stop_reason, message.stop_sequence], ['tool_use', null]);
  const kinds = events.map((event) => event.type);
  assert.deepEqual(
    [kinds[0], kinds.at(-2), kinds.at(-1)],
    ['message_start', 'message_delta', 'message_stop'],
  );
  const edges = events.flatMap((event) =>
    event.type === 'content_block_start' || event.type === 'content_block_stop' ? [event.index] : [],
  );
  assert.deepEqual(edges, [0, 0, 1, 1, 2, 2]);
});

test('MSG-3: it stops at a stop sequence and says which; at the limit it says so', async () => {
  fixture.engine.reply = 'No.\n</think>\none two three';
  const stopped = await client.messages.create({ ...BASE, messages: ASKED, stop_sequences: [' two'] });
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', ' two']);
  assert.deepEqual(stopped.content, [{ type: 'text', text: 'one', citations: null }]);
  const cut = await client.messages.create({ ...BASE, max_tokens: 3, messages: ASKED });
  assert.equal(cut.stop_reason, 'max_tokens');
});

test('MSG-4: tokens are counted as the prompt has them', async () => {
  fixture.engine.reply = 'a';
  const { input_tokens } = await client.messages.countTokens({
    model: 'apprentice',
    tools: TOOLS,
    messages: ASKED,
  });
  const { usage } = await client.messages.create({ ...BASE, tools: TOOLS, messages: ASKED });
  assert.equal(input_tokens, usage.input_tokens);
});

test('MSG-5: errors have Anthropic’s shape, before a stream and in the middle of it', async () => {
  const stranger = new Anthropic({ apiKey: 'wrong', baseURL: fixture.gateway.url, maxRetries: 0 });
  await assert.rejects(stranger.messages.create({ ...BASE, messages: ASKED }), AuthenticationError);
  await assert.rejects(client.messages.create({ ...BASE, model: 'claude', messages: ASKED }), NotFoundError);
  const refused: [object, RegExp][] = [
    [{ messages: [{ role: 'user', content: 'word '.repeat(700) }] }, /prompt is too long/],
    [{ tool_choice: { type: 'any' } }, /tool_choice/],
    [{ top_q: 1 }, /top_q/],
    [{ messages: [...ASKED, { role: 'assistant', content: 'I' }] }, /last message/],
    [{ tools: [{ type: 'web_search_20250305', name: 'web_search', input_schema: {} }] }, /tools\[0\]\.type/],
  ];
  for (const [fields, message] of refused) {
    await assert.rejects(
      client.messages.create({ ...BASE, messages: ASKED, ...fields, stream: false }),
      (error) =>
        error instanceof BadRequestError &&
        error.type === 'invalid_request_error' &&
        message.test(error.message),
      String(message),
    );
  }
  fixture.engine.reply = CALL;
  const previous = fixture.engine.beforeToken;
  fixture.engine.beforeToken = async (index) => {
    if (index === 2) throw new ApprenticeError('engine_unavailable', 'The engine ended.', 'Try again.');
  };
  const broken = client.messages.stream({ ...BASE, messages: ASKED });
  await assert.rejects(broken.finalMessage(), /overloaded_error.*The engine ended/);
  fixture.engine.beforeToken = previous;
});
