/**
 * HTTP to a server that answers as SGLang does: its keys, its streams, and every way it can fail as an
 * ApprenticeError. What is asked is decided by others.
 */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { GenerateResponse } from '../../../agent-server/protocol/engine.ts';
import { ApprenticeError, ErrorCode } from '../../../agent-server/protocol/errors.ts';
import type { ServerEndpoint } from './foreign-server.ts';

/** `admin`: what changes the server. SGLang refuses its other key there. */
export type Access = 'use' | 'admin';

/** Longest silence of a stream, the wait in the server's queue included. */
const IDLE_LIMIT_MS = 120_000;

/** SGLang's several ways to say what went wrong. */
const Said = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ error_message: z.string() }).transform((body) => body.error_message),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

/** What a worker of ours says where a stream ends in the middle; SGLang's own code is a status. */
const OwnError = z.object({ error: z.object({ code: ErrorCode, message: z.string() }) });

/** A good answer as it came. Throws as `callJson` does, but looks into no body that is good. */
export async function call(
  server: ServerEndpoint,
  asked: { method: 'GET' | 'POST' | 'DELETE'; path: string; body?: object; access: Access },
  signal: AbortSignal,
): Promise<Response> {
  const { method, path, body, access } = asked;
  const key = (access === 'admin' ? server.adminKey : null) ?? server.key;
  let response: Response;
  try {
    response = await fetch(`${server.url}${path}`, {
      method,
      signal,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw away(path, error, signal);
  }
  if (response.ok) return response;
  throw refusal(path, response.status, await response.text().catch(() => ''));
}

/**
 * One answer, parsed. Throws `engine_unavailable` for a server that is away, busy with itself or refuses the key,
 * `queue_full`, `adapter_not_loaded`, `invalid_request`, `internal` for an answer of another shape.
 */
export async function callJson<T>(
  server: ServerEndpoint,
  asked: { method: 'GET' | 'POST'; path: string; body?: object; access: Access },
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T> {
  const response = await call(server, asked, signal);
  let json: unknown;
  try {
    json = await response.json();
  } catch (error) {
    throw away(asked.path, error, signal);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw unexpected(asked.path, z.prettifyError(parsed.error));
}

/** The events of one /generate with `stream`, as they come. Throws as `callJson` does, `timeout` after two minutes' silence. */
export async function* streamGenerate(
  server: ServerEndpoint,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<GenerateResponse, void, undefined> {
  const path = '/generate';
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new DOMException('silent', 'TimeoutError')), IDLE_LIMIT_MS);
  const either = AbortSignal.any([signal, silent.signal]);
  try {
    const response = await call(server, { method: 'POST', path, body, access: 'use' }, either);
    if (!response.body) throw unexpected(path, 'nothing');
    const events = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    for await (const { data } of events) {
      timer.refresh();
      if (data === '[DONE]') return;
      yield parseEvent(path, data);
    }
  } catch (error) {
    throw away(path, error, signal);
  } finally {
    clearTimeout(timer);
  }
}

function parseEvent(path: string, data: string): GenerateResponse {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch (error) {
    throw unexpected(path, 'an event that is not JSON', error);
  }
  const parsed = GenerateResponse.safeParse(json);
  if (parsed.success) return parsed.data;
  const own = OwnError.safeParse(json);
  if (own.success)
    throw new ApprenticeError(own.data.error.code, own.data.error.message, 'See logs/engine.log.');
  const failed = z.object({ error: z.object({ code: z.number().nullish() }) }).safeParse(json);
  if (failed.success) throw refusal(path, failed.data.error.code ?? 400, data);
  throw unexpected(path, z.prettifyError(parsed.error));
}

/** A status that is not good, by what it says. An adapter that it does not know is a 400 like any other. */
function refusal(path: string, status: number, text: string): ApprenticeError {
  const said = sentence(text) ?? `status ${status}`;
  const [code, remedy] = ((): [ErrorCode, string] => {
    if (status === 401 || status === 403)
      return ['engine_unavailable', 'Give the key that it was started with.'];
    if (status === 429) return ['queue_full', 'Try again later.'];
    if (status >= 500) return ['engine_unavailable', 'Try again shortly; see logs/engine.log.'];
    if (/lora/i.test(said)) return ['adapter_not_loaded', 'Load it first with /load_lora_adapter.'];
    return ['invalid_request', 'See logs/engine.log.'];
  })();
  return new ApprenticeError(code, `The engine's ${path}: ${said}`, remedy);
}

function sentence(text: string): string | null {
  try {
    return Said.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // A proxy's own page, or nothing: the status is all that it tells.
    return text.trim().slice(0, 200) || null;
  }
}

function unexpected(path: string, what: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError('internal', `The engine's ${path} answered ${what}.`, 'See logs/engine.log.', {
    cause,
  });
}

/** What fetch throws, told apart: the caller's own abort as it is, a silence, a server that is gone. */
function away(path: string, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof ApprenticeError) return error;
  if (signal.aborted) return signal.reason;
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new ApprenticeError('timeout', `The engine's ${path} said nothing for too long.`, 'Try again.', {
      cause: error,
    });
  return new ApprenticeError(
    'engine_unavailable',
    `The engine went away during ${path}.`,
    'Try again shortly.',
    {
      cause: error,
    },
  );
}
