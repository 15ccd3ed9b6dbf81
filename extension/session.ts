/**
 * One connection to the agent-server: a LanguageClient that lives as long as its socket. A bundle of its own,
 * loaded at the first connection. Starting again is client.ts's, and so is what the messages mean.
 */
import { type CancellationToken, CancellationTokenSource, type LogOutputChannel } from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  LSPErrorCodes,
  ResponseError,
  State,
} from 'vscode-languageclient/node';
import type { ServerConnection } from './server-process.ts';

const INITIALIZE_TIMEOUT_MS = 10_000;

export interface Session {
  /** Rejects with the server's own error, `data` and all; cancelled at the server when `signal` aborts. */
  request(method: string, params: unknown, signal: AbortSignal): Promise<unknown>;
  /** Resolves when the connection has ended, for whatever reason. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/** What the server sends by itself. `judge` null: this window does not offer to judge. */
export interface SessionHandlers {
  notifications: Record<string, (params: unknown) => void>;
  judge: { method: string; answer(params: unknown, signal: AbortSignal): Promise<unknown> } | null;
}

/** Initializes the connection. Throws when the server refuses it or says nothing for 10 s. */
export async function openSession(
  connection: ServerConnection,
  name: string,
  log: LogOutputChannel,
  { notifications, judge }: SessionHandlers,
): Promise<Session> {
  const client = new LanguageClient(
    'apprentice',
    'Apprentice',
    async () => ({ reader: connection.socket, writer: connection.socket, detached: true }),
    {
      outputChannel: log,
      initializationOptions: { token: connection.token, client: name, judge: judge !== null },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
    },
  );
  for (const [method, handler] of Object.entries(notifications)) client.onNotification(method, handler);
  if (judge !== null)
    client.onRequest(judge.method, (params: unknown, token) => answered(judge, params, token));
  const ended = new Promise<void>((resolve) => {
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped || newState === State.StartFailed) resolve();
    });
  });
  const silence = setTimeout(() => connection.socket.destroy(), INITIALIZE_TIMEOUT_MS);
  try {
    await client.start();
  } catch (error) {
    connection.socket.destroy();
    throw error;
  } finally {
    clearTimeout(silence);
  }
  return {
    request: (method, params, signal) => request(client, method, params, signal),
    ended,
    stop: async () => {
      try {
        if (client.state === State.Running) await client.stop();
      } finally {
        connection.socket.destroy();
      }
    },
  };
}

async function request(
  client: LanguageClient,
  method: string,
  params: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  const cancellation = new CancellationTokenSource();
  const cancel = (): void => cancellation.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await client.sendRequest<unknown>(method, params, cancellation.token);
  } finally {
    signal.removeEventListener('abort', cancel);
    cancellation.dispose();
  }
}

async function answered(
  judge: NonNullable<SessionHandlers['judge']>,
  params: unknown,
  token: CancellationToken,
): Promise<unknown> {
  const cancelled = new AbortController();
  const subscription = token.onCancellationRequested(() => cancelled.abort());
  try {
    return await judge.answer(params, cancelled.signal);
  } catch (error) {
    // An ApprenticeError of the other bundle: its code and remedy go over the wire as the server's own do.
    if (!(error instanceof Error && 'code' in error && 'remedy' in error)) throw error;
    throw new ResponseError(LSPErrorCodes.RequestFailed, error.message, {
      code: error.code,
      remedy: error.remedy,
    });
  } finally {
    subscription.dispose();
  }
}
