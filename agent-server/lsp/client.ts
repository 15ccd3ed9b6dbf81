/** A client of the editors' socket for scripts and tests; the extension uses vscode-languageclient instead. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type CancellationToken, CancellationTokenSource, type MessageConnection } from 'vscode-jsonrpc/node';
import type { z } from 'zod';
import type { Discovery } from '../protocol/discovery.ts';
import { serverRequests } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { fromResponseError, MAX_MESSAGE_BYTES, openWire, toResponseError } from './wire.ts';

const CONNECT_LIMIT_MS = 5_000;
const REQUEST_LIMIT_MS = 30_000;

export interface RequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

export interface EditorClient {
  /** `request(editorRequests.observe, {...})`. Throws the server's own ApprenticeError, `timeout`, or `aborted`. */
  request<P extends z.ZodType, R extends z.ZodType>(
    definition: { method: string; params: P; result: R },
    params: z.input<P>,
    options?: RequestOptions,
  ): Promise<z.output<R>>;
  /** `onNotification(editorNotifications.panelChanged, ...)`. Returns the disposer. */
  onNotification<P extends z.ZodType>(
    definition: { method: string; params: P },
    listener: (params: z.output<P>) => void,
  ): () => void;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  close(): void;
}

/** How a client answers `apprentice/judge`. */
export type AnswerJudge = (
  prompt: z.output<typeof serverRequests.judge.params>,
  signal: AbortSignal,
) => Promise<z.input<typeof serverRequests.judge.result>>;

/** Connects and shows the token; `judge` offers it to the server. Throws `unauthorized`, `timeout`, `aborted`, or `worker_unavailable` when nobody listens. */
export async function connectEditorClient(
  discovery: Pick<Discovery, 'socket' | 'token'>,
  name: string,
  signal?: AbortSignal,
  judge?: AnswerJudge,
): Promise<EditorClient> {
  const socket = await open(discovery.socket, signal);
  const { connection } = openWire(socket, MAX_MESSAGE_BYTES);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      connection.dispose();
      resolve();
    });
  });
  if (judge !== undefined) {
    connection.onRequest(serverRequests.judge.method, async (params: unknown, token: CancellationToken) => {
      const cancelled = new AbortController();
      token.onCancellationRequested(() => cancelled.abort());
      try {
        return await judge(serverRequests.judge.params.parse(params), cancelled.signal);
      } catch (error) {
        throw toResponseError(error);
      }
    });
  }
  connection.listen();
  const client: EditorClient = {
    request: async (definition, params, options) =>
      definition.result.parse(await ask(connection, definition.method, params, options)),
    onNotification: (definition, listener) => {
      const subscription = connection.onNotification(definition.method, (params: unknown) =>
        listener(definition.params.parse(params)),
      );
      return () => subscription.dispose();
    },
    closed,
    close: () => socket.destroy(),
  };
  try {
    const initializationOptions = { token: discovery.token, client: name, judge: judge !== undefined };
    const params = { processId: process.pid, rootUri: null, capabilities: {}, initializationOptions };
    await ask(connection, 'initialize', params, { timeoutMs: CONNECT_LIMIT_MS, ...(signal && { signal }) });
    await connection.sendNotification('initialized', {});
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return client;
}

async function ask(
  connection: MessageConnection,
  method: string,
  params: unknown,
  { signal, timeoutMs = REQUEST_LIMIT_MS }: RequestOptions = {},
): Promise<unknown> {
  if (signal?.aborted) throw aborted(method);
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const cancellation = new CancellationTokenSource();
  const limit = Promise.withResolvers<never>();
  const cancel = (): void => {
    cancellation.cancel();
    limit.reject(
      timeout.aborted
        ? new ApprenticeError('timeout', `No answer to ${method} within ${timeoutMs} ms.`, 'Try again.')
        : aborted(method),
    );
  };
  either.addEventListener('abort', cancel, { once: true });
  try {
    return await Promise.race([connection.sendRequest(method, params, cancellation.token), limit.promise]);
  } catch (error) {
    throw fromResponseError(error);
  } finally {
    either.removeEventListener('abort', cancel);
    cancellation.dispose();
  }
}

function aborted(method: string): ApprenticeError {
  return new ApprenticeError('aborted', `${method} was cancelled.`, 'Ask again.');
}

async function open(path: string, signal: AbortSignal | undefined): Promise<Socket> {
  const limit = AbortSignal.timeout(CONNECT_LIMIT_MS);
  const socket = connect({ path });
  try {
    await once(socket, 'connect', {
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal?.aborted) throw aborted('connect');
    throw new ApprenticeError(
      limit.aborted ? 'timeout' : 'worker_unavailable',
      `No agent-server answers at ${path}.`,
      'Start it; logs/agent-server.log in its home folder says why it ended.',
      { cause: error },
    );
  }
}
