/**
 * The HTTP surface on loopback, compatible with OpenAI (`/v1/chat/completions`, `/v1/responses`, `/v1/models`) and
 * Anthropic (`/v1/messages`). Guards are in guards.ts, reading and writing of each route's shapes in chat-*.ts,
 * responses-*.ts and messages-*.ts, turns in turn-runner.ts.
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Serving } from '../engine/serving.ts';
import { ApprenticeError, errorResponse, toApprenticeError } from '../protocol/errors.ts';
import { TURN_ID_HEADER, VERSION_HEADER } from '../protocol/gateway.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import { readChatRequest } from './chat-request.ts';
import { completionBody, completionEvents } from './chat-response.ts';
import { hostGuard, keyGuard, originGuard } from './guards.ts';
import { readCountTokens, readMessagesRequest } from './messages-request.ts';
import { messageBody, messageError, messageEvents } from './messages-response.ts';
import type { PromptSource } from './prompt-source.ts';
import { BASE_MODEL, type Header, readModel, SERVING_MODEL } from './read-request.ts';
import { readResponsesRequest } from './responses-request.ts';
import { responseBody, responseEvents } from './responses-response.ts';
import type { TurnEvent, TurnRequest, TurnRunner } from './turn-runner.ts';

type Begun = Extract<TurnEvent, { type: 'begun' }>;

export const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** A stream that is silent for so long (a prompt being read, a call not yet whole) says that it is alive. */
const KEEP_ALIVE_MS = 10_000;

/** Who counts requests, and says what was counted. */
export interface RequestMetrics {
  answered(path: string, status: number): void;
  /** In Prometheus' text format. */
  text(): Promise<string>;
}

export interface GatewayOptions {
  turns: TurnRunner;
  serving: Serving;
  prompts: Pick<PromptSource, 'get'>;
  /** Any of them lets a client in. */
  keys: readonly string[];
  /** 0: the system's choice. */
  port: number;
  nowMs: () => number;
  /** What was asked and answered is counted, and told at `GET /metrics`; null: metrics are off. */
  metrics?: RequestMetrics | null;
  /** How long a stream may be silent; tests shorten it. */
  keepAliveMs?: number;
}

export interface Gateway {
  /** `http://127.0.0.1:<port>`; OpenAI clients want `/v1` after it. */
  readonly url: string;
  readonly port: number;
  /** Refuses new connections and cuts the running ones, whose turns fail as aborted. */
  close(): Promise<void>;
}

/** Listens. Throws when the port is taken. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  let port = options.port;
  const app = application(options, () => port);
  const server = createAdaptorServer({ fetch: app.fetch, hostname: '127.0.0.1' });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  port = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function application(options: GatewayOptions, port: () => number): Hono {
  const { turns, serving, prompts, keys, nowMs, metrics, keepAliveMs = KEEP_ALIVE_MS } = options;
  const known = (version: WeightVersion): boolean => serving.known(version);
  const app = new Hono();

  app.onError((thrown, context) => {
    const inShape = context.req.path.startsWith('/v1/messages') ? messageError : errorResponse;
    const { status, body } = inShape(toApprenticeError(thrown));
    return Response.json(body, { status });
  });
  app.notFound((context) => {
    throw new ApprenticeError(
      'not_found',
      `There is no ${context.req.method} ${context.req.path}.`,
      'See /v1/models, /v1/chat/completions, /v1/responses and /v1/messages.',
    );
  });
  if (metrics) {
    app.use(async (context, next) => {
      await next();
      metrics.answered(context.req.path, context.res.status);
    });
  }
  app.use(hostGuard(port), originGuard);
  app.get('/health', (context) => context.json({ status: 'ok', version: serving.version }));
  app.use(keyGuard(keys));
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApprenticeError(
          'body_too_large',
          `The body is over ${MAX_BODY_BYTES} bytes.`,
          'Send less text.',
        );
      },
    }),
  );

  app.get('/metrics', async (context) => {
    if (metrics)
      return context.body(await metrics.text(), 200, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      });
    throw new ApprenticeError(
      'not_found',
      'Metrics are off.',
      'Set {"telemetry": {"metrics": true}} in config.json and start the agent-server anew.',
    );
  });

  const model = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'apprentice' });
  app.get('/v1/models', (context) => {
    const names = [SERVING_MODEL, BASE_MODEL, ...serving.loaded()];
    return context.json({ object: 'list', data: names.map(model) });
  });
  app.get('/v1/models/:id', async (context) => {
    const id = context.req.param('id');
    readModel(id, known);
    // The model exists before the engine that knows more of it has started.
    const prompt = await prompts.get(context.req.raw.signal).catch(() => null);
    if (prompt === null) return context.json(model(id));
    const { tokenizer, tools } = prompt;
    return context.json({
      ...model(id),
      context_length: tokenizer.contextLength,
      supported_parameters: tools.rendered ? ['tools'] : [],
    });
  });

  app.post('/v1/chat/completions', async (context) => {
    const { text, header } = await received(context);
    const request = readChatRequest(text, header, known);
    const createdAtS = Math.floor(nowMs() / 1000);
    return answered(context, request.turn, request.stream ? 'stream' : 'body', {
      body: (begun, events) => completionBody(begun, events, request, createdAtS),
      stream: (begun, events) => completionEvents(begun, events, request, createdAtS),
    });
  });

  app.post('/v1/responses', async (context) => {
    const { text, header } = await received(context);
    const request = readResponsesRequest(text, header, known);
    const createdAtS = Math.floor(nowMs() / 1000);
    return answered(context, request.turn, request.stream ? 'stream' : 'body', {
      body: (begun, events) => responseBody(begun, events, request, createdAtS),
      stream: (begun, events) => responseEvents(begun, events, request, createdAtS),
    });
  });

  app.post('/v1/messages', async (context) => {
    const { text, header } = await received(context);
    const { turn, stream, thinking } = readMessagesRequest(text, header, known);
    return answered(context, turn, stream ? 'stream' : 'body', {
      body: (begun, events) => messageBody(begun, events, thinking),
      stream: (begun, events) => messageEvents(begun, events, thinking),
    });
  });

  app.post('/v1/messages/count_tokens', async (context) => {
    const { messages, tools } = readCountTokens(await context.req.text(), known);
    return context.json({ input_tokens: await turns.countTokens(messages, tools, context.req.raw.signal) });
  });

  /** Runs the turn and answers in the client's shape. */
  async function answered(
    context: Context,
    turn: TurnRequest,
    form: 'body' | 'stream',
    shape: {
      body: (begun: Begun, events: AsyncIterable<TurnEvent>) => Promise<object>;
      stream: (begun: Begun, events: AsyncIterable<TurnEvent>) => AsyncGenerator<string>;
    },
  ): Promise<Response> {
    // A client may go away while a text waits to be read: then nobody asks for the next, and it must be ended here.
    const closed = new AbortController();
    const signal = AbortSignal.any([context.req.raw.signal, closed.signal]);
    const events = turns.run(turn, signal);
    // What fails before the turn begins still gets its own status, streamed or not.
    const first = await events.next();
    if (first.done || first.value.type !== 'begun')
      throw new ApprenticeError('internal', 'A turn ended before it began.', 'See logs/agent-server.log.');
    const begun = first.value;
    const headers = { [TURN_ID_HEADER]: begun.turnId, [VERSION_HEADER]: begun.version };
    if (form === 'body') return Response.json(await shape.body(begun, events), { headers });
    const texts = shape.stream(begun, events);
    signal.addEventListener('abort', () => void texts.return(undefined).then(() => events.return(undefined)));
    return new Response(eventStream(texts, closed, keepAliveMs), {
      headers: { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
    });
  }
  return app;
}

async function received(context: Context): Promise<{ text: string; header: Header }> {
  return { text: await context.req.text(), header: (name) => context.req.header(name) };
}

/** Cancelling it aborts `closed`. Comments, which every client passes over, fill what would be silence. */
function eventStream(
  texts: AsyncGenerator<string>,
  closed: AbortController,
  keepAliveMs: number,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<string>> | undefined;
  return new ReadableStream({
    async pull(controller) {
      next ??= texts.next();
      const silence = new AbortController();
      const result = await Promise.race([
        next,
        delay(keepAliveMs, undefined, { signal: silence.signal, ref: false }),
      ]).finally(() => silence.abort());
      if (result === undefined) {
        controller.enqueue(encoder.encode(': working\n\n'));
        return;
      }
      next = undefined;
      if (result.done) controller.close();
      else controller.enqueue(encoder.encode(result.value));
    },
    cancel() {
      closed.abort();
    },
  });
}
