/** One chat completion by the gateway, piece by piece: HTTP and server-sent events. Knows no VS Code. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { ApprenticeError, ErrorBody, ErrorCode } from '../../agent-server/protocol/errors.ts';
import { TURN_ID_HEADER, VERSION_HEADER } from '../../agent-server/protocol/gateway.ts';

/** Where the gateway listens, and the bearer token that it wants. */
export interface GatewayAddress {
  url: string;
  key: string;
}

/** A message in OpenAI's form; what the gateway takes of it is said in agent-server/gateway/openai-schema.ts. */
export type GatewayMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; tool_calls?: GatewayCall[] }
  | { role: 'tool'; content: string; tool_call_id: string };
export interface GatewayCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export interface ChatRequestBody {
  messages: readonly GatewayMessage[];
  tools?: readonly {
    type: 'function';
    function: { name: string; description: string; parameters: object };
  }[];
  /** The gateway refuses it by name: a call cannot be forced. */
  tool_choice?: 'required';
  /** False: at most one call in an answer. */
  parallel_tool_calls?: boolean;
  max_tokens?: number;
  temperature?: number;
}

export type ChatPiece =
  | { type: 'begun'; turnId: string; version: string }
  | { type: 'text'; text: string }
  /** A whole call; `arguments` is the JSON text of an object, as the model wrote it. */
  | { type: 'call'; id: string; name: string; arguments: string }
  | { type: 'end'; reason: 'stop' | 'length' | 'tool_calls' };

/** The gateway says every 10 s that it is alive; one that is silent for longer is gone. */
const SILENCE_LIMIT_MS = 60_000;
/** It first waits for a model that is still being loaded. */
const BEGIN_LIMIT_MS = 180_000;
const ASK_LIMIT_MS = 10_000;

const Chunk = z.object({
  choices: z.array(
    z.object({
      delta: z.object({
        content: z.string().nullish(),
        tool_calls: z
          .array(
            z.object({
              index: z.number().int(),
              id: z.string().optional(),
              function: z.object({ name: z.string().optional(), arguments: z.string().optional() }),
            }),
          )
          .optional(),
      }),
      finish_reason: z.enum(['stop', 'length', 'tool_calls']).nullable(),
    }),
  ),
});
const Counted = z.object({ input_tokens: z.number().int() });
const Model = z.object({ context_length: z.number().int(), supported_parameters: z.array(z.string()) });
export type ModelFacts = z.infer<typeof Model>;

/**
 * Begins with `begun`, ends with `end`. Throws the gateway's own error by its code, `worker_unavailable` when it
 * cannot be reached or falls silent, and `aborted` after `signal`.
 */
export async function* streamChat(
  { url, key }: GatewayAddress,
  body: ChatRequestBody,
  headers: Record<string, string>,
  signal: AbortSignal,
): AsyncGenerator<ChatPiece> {
  const silence = new AbortController();
  const limit = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), BEGIN_LIMIT_MS);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
  };
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'apprentice', stream: true, ...body }),
      signal: limit,
    });
    if (!response.ok || response.body === null) throw errorOf(await response.text(), response.status);
    yield {
      type: 'begun',
      turnId: response.headers.get(TURN_ID_HEADER) ?? '',
      version: response.headers.get(VERSION_HEADER) ?? '',
    };
    const calls = new Map<number, Extract<ChatPiece, { type: 'call' }>>();
    const events = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream({ onComment: heard }));
    for await (const { event, data } of events) {
      heard();
      if (event === 'error') throw errorOf(data, 500);
      if (data === '[DONE]') return;
      for (const { delta, finish_reason: reason } of Chunk.parse(JSON.parse(data)).choices) {
        if (delta.content) yield { type: 'text', text: delta.content };
        for (const { index, id, function: called } of delta.tool_calls ?? []) {
          const call = calls.get(index) ?? { type: 'call', id: id ?? '', name: '', arguments: '' };
          call.name += called.name ?? '';
          call.arguments += called.arguments ?? '';
          calls.set(index, call);
        }
        if (reason === null) continue;
        yield* calls.values();
        yield { type: 'end', reason };
      }
    }
    throw unreachable('The answer ended early.');
  } catch (error) {
    if (signal.aborted) throw new ApprenticeError('aborted', 'The request was cancelled.', '');
    if (error instanceof ApprenticeError) throw error;
    throw unreachable(silence.signal.aborted ? 'It says nothing any more.' : String(error), error);
  } finally {
    clearTimeout(timer);
  }
}

/** Tokens of a prompt that holds this one text, the model's own frame around it included. Throws as `streamChat`. */
export async function countTokens(
  gateway: GatewayAddress,
  text: string,
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify({ model: 'apprentice', messages: [{ role: 'user', content: text }] });
  return Counted.parse(await ask(gateway, '/v1/messages/count_tokens', { method: 'POST', body }, signal))
    .input_tokens;
}

/** What the model that serves can take; null while that is not known, as its engine has not started. */
export async function modelFacts(gateway: GatewayAddress, signal: AbortSignal): Promise<ModelFacts | null> {
  return Model.safeParse(await ask(gateway, '/v1/models/apprentice', {}, signal)).data ?? null;
}

async function ask(
  { url, key }: GatewayAddress,
  path: string,
  init: { method?: string; body?: string },
  signal: AbortSignal,
): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_LIMIT_MS)]),
  });
  if (!response.ok) throw errorOf(await response.text(), response.status);
  return response.json();
}

function errorOf(text: string, status: number): ApprenticeError {
  const { data } = ErrorBody.safeParse(parsed(text));
  const code = ErrorCode.safeParse(data?.error.code).data ?? 'worker_unavailable';
  return new ApprenticeError(code, data?.error.message ?? `The gateway answers with status ${status}.`, '');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Something else stands where the gateway was; its status is told.
    return undefined;
  }
}

function unreachable(detail: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'worker_unavailable',
    `The gateway of Apprentice does not answer. ${detail}`,
    'Open "Agent improvement" to see what runs.',
    { cause },
  );
}
