/**
 * The worker's one port: HTTP for the engine's routes, an upgrade to `ws` for the link, nothing without the key
 * but `/health`. What the routes do is engine/, what the link does link/.
 */
import { createServer, type IncomingHttpHeaders, type Server, STATUS_CODES } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApprenticeError, errorResponse, toApprenticeError } from '../agent-server/protocol/errors.ts';
import { type AccessHeaders, checkKey, checkSource } from './access.ts';
import type { LinkServer } from './link/link-server.ts';

/** A prompt of a model's whole context as JSON is well under it. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

export interface WorkerServerOptions {
  key: string;
  /** Mounted at the root. */
  routes: Hono;
  link: LinkServer;
  log: (line: string) => void;
}

/** The HTTP server, not yet listening. */
export function workerServer(options: WorkerServerOptions): Server {
  const { key, link, log } = options;
  const listener = getRequestListener(workerApp(options).fetch);
  const server = createServer((request, response) => void listener(request, response));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => log(`Upgrade: ${error.message}`));
    try {
      const headers = headersOf(request.headers);
      checkSource(headers);
      checkKey(headers, key);
      if (request.url !== '/link') throw notFound(request.url ?? '');
      link.accept(request, socket, head);
    } catch (thrown) {
      const { status, body } = errorResponse(toApprenticeError(thrown));
      const text = JSON.stringify(body);
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      );
    }
  });
  return server;
}

function workerApp({ key, routes, log }: WorkerServerOptions): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    const headers = headersOf(context.req.header());
    checkSource(headers);
    if (context.req.path !== '/health') checkKey(headers, key);
    await next();
  });
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApprenticeError(
          'body_too_large',
          `The body is larger than ${MAX_BODY_BYTES} bytes.`,
          'Send less in one request.',
        );
      },
    }),
  );
  app.route('/', routes);
  app.notFound((context) => {
    const { status, body } = errorResponse(notFound(context.req.path));
    return Response.json(body, { status });
  });
  app.onError((thrown, context) => {
    const error = toApprenticeError(thrown);
    if (error.code === 'internal')
      log(`${context.req.method} ${context.req.path}: ${thrown.stack ?? thrown}`);
    const { status, body } = errorResponse(error);
    return Response.json(body, { status });
  });
  return app;
}

function headersOf(headers: IncomingHttpHeaders | Record<string, string>): AccessHeaders {
  const { host, origin, authorization } = headers;
  return { host, origin, authorization };
}

function notFound(path: string): ApprenticeError {
  return new ApprenticeError('not_found', `The worker has no route ${path}.`, 'See protocol/engine.ts.');
}
