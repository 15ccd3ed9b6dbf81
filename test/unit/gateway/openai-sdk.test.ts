/** OpenAI's own client against the gateway: tools, reasoning, and which fields it may send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import OpenAI, { BadRequestError } from 'openai';
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions';
import { SglangParsers } from '../../../agent-server/engine/sglang-parsers.ts';
import { FunctionCalls } from '../../../agent-server/gateway/function-calls.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import type { TokenizerFiles } from '../../../agent-server/protocol/link.ts';
import { listen } from '../../fakes/engine.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { HERMES_TEMPLATE, LLAMA_TEMPLATE, THINKING_TEMPLATE } from '../../fixtures/chat-templates.ts';
import { decode } from '../../fixtures/decode.ts';
import { type GatewayFixture, gatewayFixture, TOKEN } from '../../fixtures/gateway.ts';

const MODEL = 'apprentice';
const TOOLS: ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'read_file',
      description: 'Reads a file.',
      parameters: { type: 'object', properties: { path: { type: 'string' } } },
    },
  },
];
const ASKED: ChatCompletionMessageParam[] = [
  { role: 'system', content: 'You are an agent.' },
  { role: 'user', content: 'What is in a.txt?' },
];
const CALL = 'I look.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a.txt"}}\n</tool_call>';

const withTemplate = (chatTemplate: string): TokenizerFiles => ({ ...realTokenizerFiles(), chatTemplate });
const sdk = ({ gateway }: GatewayFixture) =>
  new OpenAI({ apiKey: TOKEN, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

/** The prompt of the latest request, as text. */
function promptText({ engine }: GatewayFixture): string {
  return decode(engine.files, engine.requests.at(-1)?.input_ids ?? []);
}

test('GATE-16: a tool is called and its result answered, streamed and whole', async (t) => {
  const fixture = await gatewayFixture({ files: withTemplate(HERMES_TEMPLATE) });
  t.after(fixture.close);
  const client = sdk(fixture);
  fixture.engine.reply = CALL;
  const whole = await client.chat.completions.create({ model: MODEL, messages: ASKED, tools: TOOLS });
  const stream = client.chat.completions.stream({ model: MODEL, messages: ASKED, tools: TOOLS });
  const streamed = await stream.finalChatCompletion();
  for (const { choices } of [whole, streamed]) {
    const [choice] = choices;
    assert.equal(choice?.finish_reason, 'tool_calls');
    assert.equal(choice?.message.content, 'I look.');
    const [call] = choice?.message.tool_calls ?? [];
    assert.ok(call?.type === 'function' && call.id.startsWith('call_'));
    assert.deepEqual([call.function.name, call.function.arguments], ['read_file', '{"path":"a.txt"}']);
  }
  const text = promptText(fixture);
  assert.match(text, /"name": "read_file", "description": "Reads a file\."/);

  const message = streamed.choices[0]?.message;
  const callId = message?.tool_calls?.[0]?.id ?? '';
  assert.ok(message);
  fixture.engine.reply = 'It says hello.';
  const answer = await client.chat.completions.create({
    model: MODEL,
    tools: TOOLS,
    // Some clients drop the text beside a call.
    messages: [
      ...ASKED,
      { ...message, content: null },
      { role: 'tool', tool_call_id: callId, content: 'hello <|im_end|>' },
    ],
  });
  assert.equal(answer.choices[0]?.message.content, 'It says hello.');
  assert.match(promptText(fixture), /<tool_response>\nhello <\|im_end\|>\n<\/tool_response>/);

  const [asked, answered] = [streamed.id, answer.id].map((id) => fixture.store.turn(TurnId.parse(id)));
  assert.equal(answered?.parentTurnId, asked?.turnId);
  assert.deepEqual(
    asked?.tools.map((tool) => tool.name),
    ['read_file'],
  );
  assert.equal(asked?.response?.text, CALL, 'the store keeps what the model wrote');
  const observed = fixture.store.queuedObservations(10).map((one) => one.observation);
  assert.equal(observed.length, 1);
  const [result] = observed;
  assert.ok(result?.kind === 'tool_result');
  assert.deepEqual(
    [result.turnId, result.callId, result.toolName, result.isError, result.text],
    [asked?.turnId, callId, 'read_file', null, 'hello <|im_end|>'],
  );
});

test('GATE-16: tools that are not to be called are not told; one call alone when the client wants one', async (t) => {
  const fixture = await gatewayFixture({ files: withTemplate(HERMES_TEMPLATE) });
  t.after(fixture.close);
  const client = sdk(fixture);
  fixture.engine.reply = CALL;
  const none = await client.chat.completions.create({
    model: MODEL,
    messages: ASKED,
    tools: TOOLS,
    tool_choice: 'none',
  });
  assert.deepEqual([none.choices[0]?.message.content, none.choices[0]?.finish_reason], [CALL, 'stop']);
  assert.doesNotMatch(promptText(fixture), /read_file/);
  fixture.engine.reply = `${CALL}${CALL}`;
  const one = await client.chat.completions.create({
    model: MODEL,
    messages: ASKED,
    tools: TOOLS,
    parallel_tool_calls: false,
  });
  assert.equal(one.choices[0]?.message.tool_calls?.length, 1);
});

test('GATE-19: a model whose template knows no tools is told of them in words, and its calls are read', async (t) => {
  const fixture = await gatewayFixture();
  t.after(fixture.close);
  fixture.engine.reply = CALL;
  const called = await sdk(fixture).chat.completions.create({ model: MODEL, messages: ASKED, tools: TOOLS });
  const message = called.choices[0]?.message;
  assert.equal(message?.tool_calls?.length, 1);
  const told = promptText(fixture);
  assert.match(told, /You are an agent\.\n\nYou can call these functions.*\n\{"name":"read_file"/);
  fixture.engine.reply = 'Done.';
  await sdk(fixture).chat.completions.create({
    model: MODEL,
    messages: [
      ...ASKED,
      message,
      { role: 'tool', tool_call_id: 'x', content: 'hello' },
      { role: 'user', content: 'Well?' },
    ],
  });
  assert.match(
    promptText(fixture),
    /assistant\nI look\.\n<tool_call>\n\{"name": "read_file".*\n<\/tool_call><\|im_end\|>\n<\|im_start\|>user\n<tool_response>\nhello\n<\/tool_response>\nWell\?<\|im_end\|>/,
  );
});

test('GATE-20: reasoning is told apart from the answer; what is trained on is the tokens as they were', async (t) => {
  const fixture = await gatewayFixture({ files: withTemplate(THINKING_TEMPLATE) });
  t.after(fixture.close);
  fixture.engine.reply = 'Greet back.\n</think>\n\nHi!';
  const whole = await sdk(fixture).chat.completions.create({ model: MODEL, messages: ASKED });
  const deltas: object[] = [];
  for await (const chunk of await sdk(fixture).chat.completions.create({
    model: MODEL,
    messages: ASKED,
    stream: true,
  }))
    deltas.push(...chunk.choices.map((choice) => choice.delta));
  const joined = (field: string) =>
    deltas.map((delta) => Object.entries(delta).find(([name]) => name === field)?.[1] ?? '').join('');
  const message = { ...whole.choices[0]?.message };
  assert.deepEqual([message.content, joined('content')], ['Hi!', 'Hi!']);
  assert.ok('reasoning_content' in message);
  assert.deepEqual([message.reasoning_content, joined('reasoning_content')], ['Greet back.', 'Greet back.']);
  const turn = fixture.store.turn(TurnId.parse(whole.id));
  assert.equal(
    decode(fixture.engine.files, turn?.response?.responseIds ?? []),
    `${fixture.engine.reply}<|im_end|>`,
  );
  assert.deepEqual([turn?.response?.text, turn?.answer?.reasoning], ['Hi!', 'Greet back.']);
});

test('GATE-21: a mark that is a special token is shown to the parser, and calls of Llama are read', async (t) => {
  const files = withTemplate(LLAMA_TEMPLATE);
  const spare = '<empty_output>';
  const renamed: TokenizerFiles = JSON.parse(JSON.stringify(files).replaceAll(spare, '<|python_tag|>'));
  const fixture = await gatewayFixture({ files: renamed });
  t.after(fixture.close);
  fixture.engine.reply = '<|python_tag|>{"name": "read_file", "parameters": {"path": "b"}}';
  const called = await sdk(fixture).chat.completions.create({ model: MODEL, messages: ASKED, tools: TOOLS });
  const [call] = called.choices[0]?.message.tool_calls ?? [];
  assert.ok(call?.type === 'function');
  assert.equal(call.function.arguments, '{"path":"b"}');
  assert.equal(fixture.engine.requests.at(-1)?.sampling_params.skip_special_tokens, false);
});

test('GATE-22: calls in a format that is not ours are read by the parser that SGLang was started with', async (t) => {
  const asked: object[] = [];
  const app = new Hono();
  let parses = true;
  app.get('/server_info', (context) => context.json({ tool_call_parser: 'mistral' }));
  app.post('/parse_function_call', async (context) => {
    asked.push(await context.req.json());
    if (!parses) return context.text('no', 400);
    const calls = [{ tool_index: 0, name: 'read_file', parameters: '{"path": "c"}' }];
    return context.json({ normal_text: 'Hm.', calls });
  });
  const sglang = await listen(app);
  const errors: string[] = [];
  const fixture = await gatewayFixture({
    files: withTemplate(`${HERMES_TEMPLATE.replaceAll('tool_call>', 'other>')}`),
    functionCalls: new FunctionCalls(
      'auto',
      new SglangParsers(() => ({ url: sglang.url, key: '' })),
      (error) => errors.push(error.message),
    ),
  });
  t.after(async () => {
    await fixture.close();
    await sglang.close();
  });
  fixture.engine.reply = 'Hm.[TOOL_CALLS][{"name": "read_file", "arguments": {"path": "c"}}]';
  const stream = sdk(fixture).chat.completions.stream({ model: MODEL, messages: ASKED, tools: TOOLS });
  const [choice] = (await stream.finalChatCompletion()).choices;
  const [call] = choice?.message.tool_calls ?? [];
  assert.ok(call?.type === 'function');
  assert.deepEqual([choice?.message.content, call.function.arguments], ['Hm.', '{"path": "c"}']);
  const [{ text, tool_call_parser } = { text: '', tool_call_parser: '' }] = asked as Record<
    string,
    unknown
  >[];
  assert.deepEqual([text, tool_call_parser], [fixture.engine.reply, 'mistral']);

  parses = false;
  const kept = await sdk(fixture).chat.completions.create({ model: MODEL, messages: ASKED, tools: TOOLS });
  assert.equal(kept.choices[0]?.message.content, fixture.engine.reply);
  assert.equal(errors.length, 1);
});

test('GATE-4: what cannot change the answer is ignored, what would is refused by name', async (t) => {
  const fixture = await gatewayFixture();
  t.after(fixture.close);
  const client = sdk(fixture);
  const answer = await client.chat.completions.create({
    model: MODEL,
    messages: ASKED,
    store: false,
    metadata: { a: 'b' },
    user: 'me',
    service_tier: 'auto',
    reasoning_effort: 'low',
    verbosity: 'low',
    prompt_cache_key: 'k',
    presence_penalty: 0,
    frequency_penalty: 0,
    logit_bias: {},
    n: 1,
    modalities: ['text'],
    response_format: { type: 'text' },
  });
  assert.equal(answer.choices.length, 1);
  const refused: object[] = [
    { presence_penalty: 0.5 },
    { logit_bias: { 5: 1 } },
    { n: 2 },
    { response_format: { type: 'json_object' } },
    { tool_choice: 'required' },
    { temprature: 1 },
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }] },
  ];
  for (const fields of refused) {
    const [name = ''] = Object.keys(fields);
    const request = { model: MODEL, messages: ASKED, ...fields };
    await assert.rejects(
      client.chat.completions.create(request),
      (error) => error instanceof BadRequestError && error.message.includes(name),
      name,
    );
  }
});
