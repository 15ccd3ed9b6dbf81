/** The engine client against answers written out by hand: what it sends, what it refuses to believe. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../../agent-server/protocol/ids.ts';

type Answer = (body: Record<string, unknown>, response: ServerResponse, path: string) => void;

const never = new AbortController().signal;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

async function engineThat(answer: Answer, limits: { idleMs?: number } = {}) {
  const server = createServer(async (request: IncomingMessage, response) => {
    assert.equal(request.headers.authorization, 'Bearer key');
    let text = '';
    for await (const chunk of request) text += chunk;
    answer(text === '' ? {} : JSON.parse(text), response, request.url ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new HttpEngine(() => ({ url, key: 'key' }), limits);
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

function answered(ids: number[], finish: string | null, version = 'policy@v0', meta: object = {}) {
  return {
    text: ids.map((id) => `t${id}`).join(''),
    output_ids: ids,
    meta_info: {
      id: 'r',
      finish_reason: finish === null ? null : { type: finish },
      prompt_tokens: 2,
      completion_tokens: ids.length,
      cached_tokens: 0,
      weight_version: version,
      ...meta,
    },
  };
}

const hasCode = (code: string) => (error: unknown) => error instanceof ApprenticeError && error.code === code;

async function collect(stream: AsyncIterable<{ output_ids: number[] }>) {
  const all: number[][] = [];
  for await (const one of stream) all.push(one.output_ids);
  return all;
}

test('CLIENT-1: scoring starts one position before the response and drops the entry that is null', async () => {
  const sent: Record<string, unknown>[] = [];
  const engine = await engineThat((body, response) => {
    sent.push(body);
    const scores = [
      [null, 2, null],
      [-0.1, 30, null],
      [-0.2, 40, null],
    ];
    const top = [
      null,
      [
        [-0.9, 31, null],
        [-0.1, 30, null],
      ],
      [[-0.2, 40, null]],
    ];
    json(
      response,
      answered([], 'length', 'policy@v2', { input_token_logprobs: scores, input_top_logprobs: top }),
    );
  });
  const request = { promptIds: [1, 2], responseIds: [30, 40], version: weightVersion(2), topLogprobs: 2 };
  assert.deepEqual(await engine.score(request, never), {
    logprobs: [-0.1, -0.2],
    top: [
      [
        [-0.1, 30],
        [-0.9, 31],
      ],
      [[-0.2, 40]],
    ],
  });
  assert.deepEqual(
    [sent[0]?.['input_ids'], sent[0]?.['logprob_start_len'], sent[0]?.['lora_path']],
    [[1, 2, 30, 40], 1, 'policy@v2'],
  );
});

test('CLIENT-2: scores of another response, and an answer by another version, are not believed', async () => {
  const engine = await engineThat((body, response) => {
    const shifted = [
      [-0.1, 30, null],
      [-0.2, 40, null],
      [-0.3, 2, null],
    ];
    if (body['stream']) response.end(`data: ${JSON.stringify(answered([5], 'stop', 'policy@v0'))}\n\n`);
    else json(response, answered([], 'length', 'policy@v0', { input_token_logprobs: shifted }));
  });
  const request = { promptIds: [1, 2], responseIds: [30, 40], version: BASE_VERSION, topLogprobs: 0 };
  await assert.rejects(engine.score(request, never), hasCode('internal'));
  await assert.rejects(
    collect(engine.generate({ input_ids: [1], lora_path: 'policy@v1' }, never)),
    hasCode('adapter_not_loaded'),
  );
});

test('CLIENT-3: a stream that breaks off, errs or falls silent is an error, never a short answer', async () => {
  const token = `data: ${JSON.stringify(answered([5], null))}\n\n`;
  const error = `data: ${JSON.stringify({ error: { message: 'gone', type: 'x', code: 'queue_full' } })}\n\n`;
  const cases: [string | null, string][] = [
    [`${token}data: [DONE]\n\n`, 'engine_unavailable'],
    [token + error, 'queue_full'],
    [`${token}data: {"text":\n\n`, 'internal'],
    [null, 'timeout'],
  ];
  for (const [text, code] of cases) {
    const engine = await engineThat(
      (_body, response, path) => {
        if (path !== '/generate') json(response, {});
        else if (text === null) response.write(token);
        else response.end(text);
      },
      // Short only where it is waited for: a busy machine may well need 50 ms for a first token.
      text === null ? { idleMs: 50 } : {},
    );
    await assert.rejects(collect(engine.generate({ input_ids: [1] }, never)), hasCode(code), code);
  }
});

test('CLIENT-4: cancelling closes the stream and tells the engine which request', async () => {
  const aborted = Promise.withResolvers<unknown>();
  const closed = Promise.withResolvers<void>();
  const engine = await engineThat((body, response, path) => {
    if (path === '/abort_request') {
      aborted.resolve(body['rid']);
      json(response, {});
      return;
    }
    response.on('close', () => closed.resolve());
    response.write(`data: ${JSON.stringify(answered([5], null))}\n\n`);
  });
  const client = new AbortController();
  const stream = engine.generate({ input_ids: [1], rid: 'mine' }, client.signal);
  await stream.next();
  const rest = stream.next();
  client.abort();
  await assert.rejects(rest, hasCode('aborted'));
  await closed.promise;
  assert.equal(await aborted.promise, 'mine');
});

test('CLIENT-5: an engine that is away is tried again where that is harmless, and named when it stays away', async () => {
  let calls = 0;
  const engine = await engineThat((_body, response, path) => {
    calls++;
    if (calls < 3) response.destroy();
    else
      json(
        response,
        path === '/load_lora_adapter' ? { success: false, error_message: 'rank 8 is not 16' } : {},
      );
  });
  await assert.rejects(engine.loadAdapter(weightVersion(1), '/a', never), hasCode('adapter_invalid'));
  assert.equal(calls, 3);
  const nobody = new HttpEngine(() => ({ url: 'http://127.0.0.1:9', key: 'key' }));
  assert.equal(await nobody.health(never), false);
  await assert.rejects(collect(nobody.generate({ input_ids: [1] }, never)), hasCode('engine_unavailable'));
});
