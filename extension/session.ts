/**
 * One connection to the agent-server: a LanguageClient that lives as long as its socket. A bundle of its own,
 * loaded at the first connection. Starting again is client.ts's, and so is what the messages mean.
 */
import { CancellationTokenSource, type LogOutputChannel } from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State } from 'vscode-languageclient/node';
import type { ServerConnection } from './server-process.ts';

const INITIALIZE_TIMEOUT_MS = 10_000;

export interface Session {
  /** Rejects with the server's own error, `data` and all; cancelled at the server when `signal` aborts. */
  request(method: string, params: unknown, signal: AbortSignal): Promise<unknown>;
  /** Resolves when the connection has ended, for whatever reason. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/** Initializes the connection. Throws when the server refuses it or says nothing for 10 s. */
export async function openSession(
  connection: ServerConnection,
  name: string,
  log: LogOutputChannel,
  handlers: Record<string, (params: unknown) => void>,
): Promise<Session> {
  const client = new LanguageClient(
    'apprentice',
    'Apprentice',
    async () => ({ reader: connection.socket, writer: connection.socket, detached: true }),
    {
      outputChannel: log,
      initializationOptions: { token: connection.token, client: name },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
    },
  );
  for (const [method, handler] of Object.entries(handlers)) client.onNotification(method, handler);
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
