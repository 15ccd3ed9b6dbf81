/**
 * The worker's one port: HTTP for the engine's routes, an upgrade to `ws` for the link, nothing without a key
 * but `/health`. Whose key it is decides whose routes and link they are. What the routes do is engine/, what the link
 * does link/.
 */
import { createServer, type IncomingHttpHeaders, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { ApprenticeError, errorResponse, toApprenticeError } from '../agent-server/protocol/errors.ts';
import { type AccessHeaders, checkSource } from './access.ts';
import { useErrorShape } from './engine/http.ts';
import type { LinkServer } from './link/link-server.ts';
import { loadGuard } from './weights/load-guard.ts';
import type { Weights } from './weights/weights.ts';

export interface WorkerServerOptions {
  /** What is open to the key that a request bears. Throws `unauthorized`. */
  admit(headers: AccessHeaders): Promise<Admitted>;
  /** Answers `GET /health`, to everybody. */
  health: () => boolean;
  log: (line: string) => void;
  /** Null: plain HTTP. */
  tls: Tls | null;
  /** Names that clients may call it by, besides the loopback ones. */
  hosts: readonly string[];
}

/** What one user may do here. */
export interface Admitted {
  /** `userApp`. */
  app: Hono;
  link: LinkServer;
  /** Hears of every connection of the link that was let in. */
  onLink(socket: Duplex): void;
}

export interface UserAppOptions {
  /** The engine's, mounted at the root. */
  routes: Hono;
  weights: Weights;
  link: LinkServer;
  log: (line: string) => void;
}

/** Both PEM. */
export interface Tls {
  certificate: string;
  privateKey: string;
}

/** The HTTP server, not yet listening. */
export function workerServer(options: WorkerServerOptions): Server {
  const { log, tls, hosts } = options;
  const listener = getRequestListener(workerApp(options).fetch);
  const answer: Parameters<typeof createServer>[1] = (request, response) => void listener(request, response);
  const server = tls
    ? createTlsServer({ cert: tls.certificate, key: tls.privateKey, minVersion: 'TLSv1.2' }, answer)
    : createServer(answer);
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => log(`Upgrade: ${error.message}`));
    const accepted = async () => {
      const headers = headersOf(request.headers);
      checkSource(headers, hosts);
      const user = await options.admit(headers);
      if (request.url !== '/link') {
        throw new ApprenticeError('not_found', `No link at ${request.url}.`, 'Connect to /link.');
      }
      user.onLink(socket);
      user.link.accept(request, socket, head);
    };
    accepted().catch((thrown) => {
      const { status, body } = errorResponse(toApprenticeError(thrown));
      const text = JSON.stringify(body);
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      );
    });
  });
  return server;
}

function workerApp({ admit, health, log, hosts }: WorkerServerOptions): Hono {
  const app = new Hono();
  // First, so that a stranger's body is not even measured.
  app.use(async (context, next) => {
    const headers = headersOf(context.req.header());
    checkSource(headers, hosts);
    if (context.req.path === '/health') return next();
    const { app: own } = await admit(headers);
    return own.fetch(context.req.raw, context.env);
  });
  useErrorShape(app, log);
  app.get('/health', (context) => context.body(null, health() ? 200 : 503));
  return app;
}

/** Every route of one user's. */
export function userApp({ routes, weights, link, log }: UserAppOptions): Hono {
  const app = new Hono();
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
