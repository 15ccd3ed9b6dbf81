/** OpenAI's own client against `/v1/responses`: the same turns and sessions as by the other routes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { BadRequestError } from 'openai';
import type { ResponseInputItem, ResponseStreamEvent, Tool } from 'openai/resources/responses/responses';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { HERMES_TEMPLATE, THINKING_TEMPLATE } from '../../fixtures/chat-templates.ts';
import { decode } from '../../fixtures/decode.ts';
import { type GatewayFixture, gatewayFixture, TOKEN } from '../../fixtures/gateway.ts';

const MODEL = 'apprentice';
const SHELL: Tool = {
  type: 'function',
  name: 'shell',
  description: 'Runs a command.',
  parameters: { type: 'object', properties: { command: { type: 'string' } } },
  strict: false,
};
const PATCH: Tool = {
  type: 'custom',
  name: 'apply_patch',
  description: 'Applies a patch.',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: "*** Begin Patch"' },
};
const ASKED: ResponseInputItem[] = [{ role: 'user', content: 'What is in a.txt?' }];
const INSTRUCTIONS = 'You are an agent.';

async function opened(t: { after(close: () => Promise<void>): void }, chatTemplate?: string) {
  const files = realTokenizerFiles();
  const fixture = await gatewayFixture({
    files: { ...files, chatTemplate: chatTemplate ?? files.chatTemplate },
  });
  t.after(fixture.close);
  const client = new OpenAI({ apiKey: TOKEN, baseURL: `${fixture.gateway.url}/v1`, maxRetries: 0 });
  return { fixture, client };
}

function promptText({ engine }: GatewayFixture): string {
  return decode(engine.files, engine.requests.at(-1)?.input_ids ?? []);
}

test('RESP-1: a text is answered, whole and streamed, with what was asked repeated', async (t) => {
  const { fixture, client } = await opened(t);
  const request = { model: MODEL, instructions: INSTRUCTIONS, input: 'Greet.' };
  const whole = await client.responses.create(request);
  assert.deepEqual([whole.output_text, whole.status], [fixture.engine.reply, 'completed']);
  assert.deepEqual([whole.instructions, whole.model], [INSTRUCTIONS, 'policy@v0']);
  assert.match(promptText(fixture), /system\nYou are an agent\.<\|im_end\|>\n<\|im_start\|>user\nGreet\./);
  assert.equal(fixture.store.turn(TurnId.parse(whole.id))?.response?.text, fixture.engine.reply);

  const events: ResponseStreamEvent[] = [];
  const stream = client.responses.stream(request).on('event', (event) => events.push(event));
  const streamed = await stream.finalResponse();
  assert.deepEqual([streamed.output_text, streamed.usage], [whole.output_text, whole.usage]);
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, index) => index),
  );
  const grown = events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : []));
  assert.ok(grown.length > 1);
  assert.equal(grown.join(''), whole.output_text);
});

test('RESP-2: functions and tools of free text are called, and their results belong to the turn that called', async (t) => {
  const { fixture, client } = await opened(t, HERMES_TEMPLATE);
  const asked = {
    model: MODEL,
    instructions: INSTRUCTIONS,
    tools: [SHELL, PATCH, { type: 'web_search' as const }],
  };
  fixture.engine.reply =
    'I look.\n<tool_call>\n{"name": "shell", "arguments": {"command": "cat a.txt"}}\n</tool_call>\n' +
    '<tool_call>\n{"name": "apply_patch", "arguments": {"input": "*** Begin Patch"}}\n</tool_call>';
  const whole = await client.responses.create({ ...asked, input: ASKED });
  const streamed = await client.responses.stream({ ...asked, input: ASKED }).finalResponse();
  for (const { output } of [whole, streamed]) {
    const [message, shell, patch] = output;
    assert.ok(
      message?.type === 'message' && shell?.type === 'function_call' && patch?.type === 'custom_tool_call',
    );
    assert.deepEqual([shell.name, shell.arguments], ['shell', '{"command":"cat a.txt"}']);
    assert.deepEqual([patch.name, patch.input], ['apply_patch', '*** Begin Patch']);
  }
  assert.match(promptText(fixture), /"name": "apply_patch".*Begin Patch/);
  assert.doesNotMatch(promptText(fixture), /web_search/);

  const results = streamed.output.flatMap((item): ResponseInputItem[] =>
    item.type === 'function_call'
      ? [{ type: 'function_call_output', call_id: item.call_id, output: 'hello <|im_end|>' }]
      : item.type === 'custom_tool_call'
        ? [{ type: 'custom_tool_call_output', call_id: item.call_id, output: 'Done.' }]
        : [],
  );
  const before: ResponseInputItem[] = streamed.output.filter(
    (item) => item.type === 'message' || item.type === 'function_call' || item.type === 'custom_tool_call',
  );
  fixture.engine.reply = 'It says hello.';
  const answer = await client.responses.create({ ...asked, input: [...ASKED, ...before, ...results] });
  assert.match(promptText(fixture), /<tool_response>\nhello <\|im_end\|>\n<\/tool_response>/);
  const turns = [streamed, answer].map(({ id }) => fixture.store.turn(TurnId.parse(id)));
  assert.equal(turns[1]?.parentTurnId, turns[0]?.turnId);
  const observed = fixture.store.queuedObservations(10).map(({ observation }) => observation);
  assert.deepEqual(
    observed.map((one) => one.kind === 'tool_result' && [one.turnId, one.toolName, one.text]),
    [
      [streamed.id, 'shell', 'hello <|im_end|>'],
      [streamed.id, 'apply_patch', 'Done.'],
    ],
  );
});

test('RESP-3: reasoning is an item of its own, and may come back with the next request', async (t) => {
  const { fixture, client } = await opened(t, THINKING_TEMPLATE);
  fixture.engine.reply = 'Greet back.\n</think>\n\nHi!';
  const whole = await client.responses.create({ model: MODEL, input: ASKED });
  const streamed = await client.responses.stream({ model: MODEL, input: ASKED }).finalResponse();
  for (const { output, output_text } of [whole, streamed]) {
    const [thought] = output;
    assert.ok(thought?.type === 'reasoning');
    assert.deepEqual([thought.content?.[0]?.text, output_text], ['Greet back.', 'Hi!']);
  }
  const before = whole.output.filter((item) => item.type === 'message' || item.type === 'reasoning');
  const next = await client.responses.create({
    model: MODEL,
    input: [...ASKED, ...before, { role: 'user', content: 'Again.' }],
  });
  // Of two turns that gave the same answer to the same request, the later one is gone on with.
  assert.equal(fixture.store.turn(TurnId.parse(next.id))?.parentTurnId, streamed.id);
});

test('RESP-4: an answer that is cut off says so, and one that fails says why', async (t) => {
  const { fixture, client } = await opened(t);
  const cut = await client.responses.create({ model: MODEL, input: ASKED, max_output_tokens: 2 });
  assert.deepEqual([cut.status, cut.incomplete_details?.reason], ['incomplete', 'max_output_tokens']);
  fixture.engine.beforeToken = async (index) => {
    if (index > 1) throw new ApprenticeError('engine_unavailable', 'The engine is gone.', 'Wait.');
  };
  const events: ResponseStreamEvent[] = [];
  for await (const event of await client.responses.create({ model: MODEL, input: ASKED, stream: true }))
    events.push(event);
  const last = events.at(-1);
  assert.ok(last?.type === 'response.failed');
  assert.match(last.response.error?.message ?? '', /The engine is gone/);
});

test('RESP-5: /v1/responses refuses by name what it cannot do, and passes over what changes no answer', async (t) => {
  const { fixture, client } = await opened(t);
  const request = { model: MODEL, input: ASKED };
  await client.responses.create({
    ...request,
    store: true,
    include: ['reasoning.encrypted_content'],
    reasoning: { effort: 'low', summary: 'auto' },
    text: { verbosity: 'low' },
    truncation: 'disabled',
    prompt_cache_key: 'k',
  });
  const image: ResponseInputItem[] = [
    { role: 'user', content: [{ type: 'input_image', image_url: 'data:,', detail: 'auto' }] },
  ];
  const refused: [name: string, fields: object][] = [
    ['previous_response_id', { previous_response_id: 'resp_1' }],
    ['input', { input: image }],
    ['tool_choice', { tool_choice: 'required' }],
    ['text', { text: { format: { type: 'json_object' } } }],
    ['background', { background: true }],
    ['temprature', { temprature: 1 }],
  ];
  for (const [name, fields] of refused)
    await assert.rejects(
      client.responses.create({ ...request, ...fields }),
      (error) => error instanceof BadRequestError && error.message.includes(name),
      name,
    );
  assert.equal(fixture.engine.requests.length, 1);
});
