/** What every route of the engine shares: bodies parsed by a schema, errors in OpenAI's shape, event streams. */
import type { Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { ApprenticeError, errorResponse, toApprenticeError } from '../../agent-server/protocol/errors.ts';

/** 32,768 token ids as JSON are a tenth of this. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

/** The body as `schema` has it. Throws invalid_json or invalid_request naming each bad field. */
export async function parseBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await c.req.text();
  let json: unknown;
  try {
    json = text === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw new ApprenticeError('invalid_json', 'The body is not JSON.', 'Send a JSON object.', {
      cause: error,
    });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ApprenticeError('invalid_request', `${z.prettifyError(parsed.error)}.`, 'Mend the named fields.');
}

/** Answers thrown errors, unknown paths and bodies over the limit in OpenAI's shape. */
export function useErrorShape(app: Hono, log: (line: string) => void): void {
  app.use(
    bodyLimit({
      maxSize: BODY_LIMIT_BYTES,
      onError: () =>
        answerError(new ApprenticeError('body_too_large', 'The body is too large.', 'Send less.')),
    }),
  );
  app.notFound((c) =>
    answerError(new ApprenticeError('not_found', `No route ${c.req.path}.`, 'Check the path.')),
  );
  app.onError((thrown, c) => {
    const error = toError(thrown);
    if (error.code === 'internal') log(`${c.req.method} ${c.req.path}: ${thrown.stack ?? thrown.message}`);
    return answerError(error);
  });
}

function answerError(error: ApprenticeError): Response {
  const { status, body } = errorResponse(error);
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

function toError(thrown: unknown): ApprenticeError {
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError') {
    return new ApprenticeError('timeout', 'The engine did not answer in time.', 'See logs/engine.log.');
  }
  if (thrown instanceof DOMException && thrown.name === 'AbortError') {
    return new ApprenticeError('aborted', 'The client went away.', '');
  }
  return toApprenticeError(thrown);
}

/**
 * Streams `items` as `data: {...}` lines that end with `[DONE]`. An error before the first item is thrown, so that
 * it gets its HTTP status; a later one becomes an item of its own. A client that leaves aborts `gone`.
 */
export async function streamItems<T>(
  c: Context,
  items: AsyncIterator<T>,
  gone: AbortController,
): Promise<Response> {
  let next = await items.next();
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => gone.abort());
    try {
      while (!next.done) {
        await stream.writeSSE({ data: JSON.stringify(next.value) });
        next = await items.next();
      }
    } catch (thrown) {
      await stream.writeSSE({ data: JSON.stringify(errorResponse(toError(thrown)).body) });
    } finally {
      await items.return?.();
    }
    await stream.writeSSE({ data: '[DONE]' });
  });
}

/** Aborts when the client goes away. */
export function clientGone(c: Context): AbortController {
  const controller = new AbortController();
  const { signal } = c.req.raw;
  if (signal.aborted) controller.abort();
  else signal.addEventListener('abort', () => controller.abort(), { once: true });
  return controller;
}
