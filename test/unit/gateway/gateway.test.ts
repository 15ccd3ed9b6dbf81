/** The gateway over real HTTP: every refusal, the shapes OpenAI's clients rely on, and what becomes of turns. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createParser } from 'eventsource-parser';
import { MAX_BODY_BYTES } from '../../../agent-server/gateway/gateway.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import {
  chat,
  type GatewayFixture,
  gatewayFixture,
  rawGet,
  storeWhere,
  TOKEN,
} from '../../fixtures/gateway.ts';

let fixture: GatewayFixture;
before(async () => {
  fixture = await gatewayFixture({ contextLength: 400 });
});
after(() => fixture.close());

async function refusal(response: Response) {
  const body = await response.json();
  assert.equal(typeof body.error.message, 'string');
  assert.equal(typeof body.error.type, 'string');
  return [response.status, body.error.code];
}

async function events(response: Response) {
  const all: { event: string | undefined; data: string }[] = [];
  const parser = createParser({ onEvent: ({ event, data }) => all.push({ event, data }) });
  parser.feed(await response.text());
  return all;
}

const turnOf = (response: Response) => TurnId.parse(response.headers.get('x-apprentice-turn-id'));

test('GATE-1: a wrong or missing token is refused, health needs none', async () => {
  assert.deepEqual(await refusal(await chat(fixture, {}, { authorization: 'Bearer wrong' })), [
    401,
    'unauthorized',
  ]);
  assert.deepEqual(await refusal(await fetch(`${fixture.gateway.url}/v1/models`)), [401, 'unauthorized']);
  assert.equal((await fetch(`${fixture.gateway.url}/health`)).status, 200);
});

test('GATE-2: a foreign Host is refused, even with the token', async () => {
  for (const host of ['evil.example', `evil.example:${fixture.gateway.port}`, '127.0.0.1', '127.0.0.1:1']) {
    const { status, body } = await rawGet(fixture.gateway, '/health', {
      host,
      authorization: `Bearer ${TOKEN}`,
    });
    assert.deepEqual([status, body.error.code], [403, 'forbidden_host'], host);
  }
  const { status } = await rawGet(fixture.gateway, '/health', { host: `localhost:${fixture.gateway.port}` });
  assert.equal(status, 200);
});

test('GATE-3: any Origin is refused', async () => {
  for (const origin of ['https://evil.example', 'null', fixture.gateway.url])
    assert.deepEqual(await refusal(await chat(fixture, {}, { origin })), [403, 'forbidden_origin'], origin);
});

test('GATE-4: a body over the limit, one that is not JSON, and unknown fields are refused by name', async () => {
  const url = `${fixture.gateway.url}/v1/chat/completions`;
  const post = (body: BodyInit) => {
    const init = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body, duplex: 'half' };
    return fetch(url, init);
  };
  assert.deepEqual(await refusal(await post('x'.repeat(MAX_BODY_BYTES + 1))), [413, 'body_too_large']);
  // Without a content length, so that the limit has to count.
  const chunks = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(MAX_BODY_BYTES));
      controller.enqueue(new Uint8Array(1));
      controller.close();
    },
  });
  assert.deepEqual(await refusal(await post(chunks)), [413, 'body_too_large']);
  assert.deepEqual(await refusal(await post('{"model":')), [400, 'invalid_json']);
  const unknown = await chat(fixture, { frequency_penalty: 1 });
  assert.match((await unknown.clone().json()).error.message, /frequency_penalty/);
  assert.deepEqual(await refusal(unknown), [400, 'invalid_request']);
  assert.deepEqual(await refusal(await chat(fixture, {}, { 'x-apprentice-turn': 'other' })), [
    400,
    'invalid_request',
  ]);
  assert.deepEqual(await refusal(await chat(fixture, {}, { 'x-apprentice-subject': '{' })), [
    400,
    'invalid_json',
  ]);
});

test('GATE-5: unknown models and routes are not found, streamed or not', async () => {
  for (const model of ['gpt-4', 'policy@v999', 'policy@v01', 'Apprentice'])
    assert.deepEqual(
      await refusal(await chat(fixture, { model, stream: true })),
      [404, 'model_not_found'],
      model,
    );
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.deepEqual(await refusal(await fetch(`${fixture.gateway.url}/v1/embeddings`, { headers })), [
    404,
    'not_found',
  ]);
});

test('GATE-6: a prompt longer than the context is refused before the engine hears of it', async () => {
  const asked = fixture.engine.requests.length;
  const long = await chat(fixture, {
    messages: [{ role: 'user', content: 'word '.repeat(500) }],
    stream: true,
  });
  assert.deepEqual(await refusal(long), [400, 'context_length_exceeded']);
  assert.equal(fixture.engine.requests.length, asked);
});

test('GATE-7: a whole answer has the turn’s id, the version that answered, usage and logprobs', async () => {
  const response = await chat(fixture, {
    model: 'policy@v3',
    logprobs: true,
    top_logprobs: 2,
    max_tokens: 3,
  });
  const body = await response.json();
  assert.equal(body.object, 'chat.completion');
  assert.equal(body.model, 'policy@v3');
  assert.equal(response.headers.get('x-apprentice-version'), 'policy@v3');
  assert.equal(body.id, turnOf(response));
  const [choice] = body.choices;
  assert.deepEqual(
    [choice.message.role, choice.message.content, choice.finish_reason],
    ['assistant', 'fix: correct', 'length'],
  );
  assert.equal(body.usage.completion_tokens, 3);
  assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + 3);
  assert.deepEqual(
    choice.logprobs.content.map((one: { token: string; top_logprobs: unknown[] }) => [
      one.token,
      one.top_logprobs.length,
    ]),
    [
      ['fix', 2],
      [':', 2],
      [' correct', 2],
    ],
  );
  const turn = fixture.store.turn(turnOf(response));
  assert.deepEqual([turn?.state, turn?.learnable, turn?.version], ['open', true, 'policy@v3']);
  assert.deepEqual(turn?.promptIds, fixture.engine.requests.at(-1)?.input_ids);
  assert.deepEqual(turn?.response?.behaviourLogprobs, [-0.5, -0.5, -0.5]);
});

test('GATE-8: a stream ends with finish reason, usage when asked for, and [DONE]', async () => {
  const all = await events(await chat(fixture, { stream: true, stream_options: { include_usage: true } }));
  assert.equal(all.at(-1)?.data, '[DONE]');
  const chunks = all.slice(0, -1).map(({ data }) => JSON.parse(data));
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(
    chunks
      .flatMap((chunk) =>
        chunk.choices.map((one: { delta: { content?: string } }) => one.delta.content ?? ''),
      )
      .join(''),
    'fix: correct the greeting',
  );
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.completion_tokens > 3);
  assert.ok(chunks.every((chunk) => chunk.model === 'policy@v0' && chunk.id === chunks[0].id));
});

test('GATE-10: an error in the middle of a stream is an error event without [DONE], and the turn is failed', async () => {
  const previous = fixture.engine.beforeToken;
  fixture.engine.beforeToken = async (index) => {
    if (index === 2) throw new ApprenticeError('engine_unavailable', 'The engine ended.', 'Try again.');
  };
  const response = await chat(fixture, { stream: true });
  const all = await events(response);
  fixture.engine.beforeToken = previous;
  const last = all.at(-1);
  assert.equal(last?.event, 'error');
  assert.equal(JSON.parse(last?.data ?? '').error.code, 'engine_unavailable');
  assert.equal(fixture.store.turn(turnOf(response))?.state, 'failed');
});

test('GATE-11: a client that goes away cancels the generation and fails the turn, streamed or not', async () => {
  const previous = fixture.engine.beforeToken;
  for (const stream of [true, false]) {
    const reached = Promise.withResolvers<void>();
    fixture.engine.beforeToken = (index, signal) => {
      if (index < 2) return Promise.resolve();
      reached.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const client = new AbortController();
    const [aborted, seen] = [fixture.engine.aborted, fixture.engine.requests.length];
    const response = chat(fixture, { stream }, {}, client.signal).then((one) => one.text());
    await reached.promise;
    assert.equal(fixture.engine.requests.length, seen + 1);
    const failed = storeWhere(fixture.store, 'turns', () =>
      fixture.engine.aborted > aborted ? true : undefined,
    );
    client.abort();
    await assert.rejects(response);
    await failed;
    assert.equal(fixture.turns.running, 0);
  }
  fixture.engine.beforeToken = previous;
});

test('GATE-23: a stream that waits says that it is alive, and goes on as if nothing had been', async () => {
  const waiting = await gatewayFixture({ keepAliveMs: 20 });
  const go = Promise.withResolvers<void>();
  waiting.engine.beforeToken = () => go.promise;
  const response = await chat(waiting, { stream: true });
  let text = '';
  assert.ok(response.body);
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (/(: working\n\n){2}/.test(text)) go.resolve();
  }
  const data: string[] = [];
  createParser({ onEvent: (event) => data.push(event.data) }).feed(text);
  assert.equal(data.at(-1), '[DONE]');
  const told = data.slice(0, -1).map((one) => JSON.parse(one).choices[0].delta.content ?? '');
  assert.equal(told.join(''), 'fix: correct the greeting');
  await waiting.close();
});

test('GATE-14: a request that the engine lost before its first token is begun again on the same version', async () => {
  await chat(fixture, { model: 'policy@v5' });
  fixture.engine.failNext = new ApprenticeError('engine_unavailable', 'The engine process ended.', '');
  const response = await chat(fixture, { model: 'policy@v5' });
  assert.deepEqual([response.status, (await response.json()).model], [200, 'policy@v5']);
  assert.equal(fixture.store.turn(turnOf(response))?.state, 'open');
});

test('GATE-12: a side turn is answered and settled at once, never to be learnt from; so is one without consent', async () => {
  const side = await chat(fixture, {}, { 'x-apprentice-turn': 'side', 'x-apprentice-session': 'mine' });
  const turn = fixture.store.turn(turnOf(side));
  assert.deepEqual([turn?.kind, turn?.state, turn?.sessionId], ['side', 'settled', 'mine']);
  fixture.store.setLearning('paused');
  const paused = fixture.store.turn(turnOf(await chat(fixture)));
  fixture.store.setLearning('on');
  assert.deepEqual([paused?.learnable, paused?.state], [false, 'settled']);
});

test('GATE-13: beyond the bound on running requests the next is told to come back', async () => {
  const small = await gatewayFixture({ maxTurns: 1 });
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  small.engine.beforeToken = async () => {
    reached.resolve();
    await go.promise;
  };
  const first = chat(small);
  await reached.promise;
  assert.deepEqual(await refusal(await chat(small)), [429, 'queue_full']);
  go.resolve();
  assert.equal((await first).status, 200);
  await small.close();
});

test('the models are the serving name, the base and what is loaded; parts and stop strings reach the engine', async () => {
  await chat(fixture, { model: 'policy@v4' });
  const listed = await fetch(`${fixture.gateway.url}/v1/models`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const ids = (await listed.json()).data.map((one: { id: string }) => one.id);
  assert.deepEqual(ids.slice(0, 2), ['apprentice', 'base']);
  assert.ok(ids.includes('policy@v4'));
  const headers = { authorization: `Bearer ${TOKEN}` };
  const one = await fetch(`${fixture.gateway.url}/v1/models/policy@v4`, { headers });
  assert.equal((await one.json()).id, 'policy@v4');
  const none = await fetch(`${fixture.gateway.url}/v1/models/gpt-4`, { headers });
  assert.deepEqual(await refusal(none), [404, 'model_not_found']);
  await chat(fixture, {
    model: 'base',
    stop: 'END',
    temperature: 0,
    seed: 7,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  });
  const { sampling_params: sampling, lora_path } = fixture.engine.requests.at(-1) ?? {};
  assert.deepEqual(
    [sampling?.stop, sampling?.temperature, sampling?.sampling_seed, lora_path],
    [['END'], 0, 7, null],
  );
});
