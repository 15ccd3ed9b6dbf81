/**
 * The worker's one port: HTTP for the engine's routes, an upgrade to `ws` for the link, nothing without the key
 * but `/health`. What the routes do is engine/, what the link does link/.
 */
import { createServer, type IncomingHttpHeaders, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { ApprenticeError, errorResponse, toApprenticeError } from '../agent-server/protocol/errors.ts';
import { type AccessHeaders, checkKey, checkSource } from './access.ts';
import { useErrorShape } from './engine/http.ts';
import type { LinkServer } from './link/link-server.ts';
import { loadGuard } from './weights/load-guard.ts';
import type { Weights } from './weights/weights.ts';

export interface WorkerServerOptions {
  /** What every request but `GET /health` bears. */
  key: string;
  /** Mounted at the root. */
  routes: Hono;
  weights: Weights;
  link: LinkServer;
  log: (line: string) => void;
  /** Null: plain HTTP. */
  tls: Tls | null;
  /** Names that clients may call it by, besides the loopback ones. */
  hosts: readonly string[];
  /** Hears of every connection of the link that was let in. */
  onLink?: (socket: Duplex) => void;
}

/** Both PEM. */
export interface Tls {
  certificate: string;
  privateKey: string;
}

/** The HTTP server, not yet listening. */
export function workerServer(options: WorkerServerOptions): Server {
  const { key, link, log, tls, hosts } = options;
  const listener = getRequestListener(workerApp(options).fetch);
  const answer: Parameters<typeof createServer>[1] = (request, response) => void listener(request, response);
  const server = tls
    ? createTlsServer({ cert: tls.certificate, key: tls.privateKey, minVersion: 'TLSv1.2' }, answer)
    : createServer(answer);
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => log(`Upgrade: ${error.message}`));
    try {
      const headers = headersOf(request.headers);
      checkSource(headers, hosts);
      checkKey(headers, key);
      if (request.url !== '/link') {
        throw new ApprenticeError('not_found', `No link at ${request.url}.`, 'Connect to /link.');
      }
      options.onLink?.(socket);
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

function workerApp({ key, routes, weights, link, log, hosts }: WorkerServerOptions): Hono {
  const app = new Hono();
  // First, so that a stranger's body is not even measured.
  app.use(async (context, next) => {
    const headers = headersOf(context.req.header());
    checkSource(headers, hosts);
    if (context.req.path !== '/health') checkKey(headers, key);
    await next();
  });
  useErrorShape(app, log);
  app.get('/worker/info', (context) => context.json(link.info()));
  app.post('/load_lora_adapter', loadGuard(weights, routes));
  // A path that a client sends is never opened; the base model is named where the worker is started.
  app.post('/update_weights_from_disk', () => {
    throw new ApprenticeError(
      'invalid_request',
      'This worker does not change its base model while it runs.',
      'Start it with another --model.',
    );
  });
  app.route('/', routes);
  return app;
}

function headersOf(headers: IncomingHttpHeaders | Record<string, string>): AccessHeaders {
  const { host, origin, authorization } = headers;
  return { host, origin, authorization };
}
