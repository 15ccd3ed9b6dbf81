/** JSON-RPC over a socket within limits, and errors that keep their code on the way. Used by both ends. */
import type { Socket } from 'node:net';
import {
  ConnectionError,
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  type MessageReader,
  ResponseError,
  SocketMessageReader,
  SocketMessageWriter,
} from 'vscode-jsonrpc/node';
import { z } from 'zod';
import { ApprenticeError, ErrorCode, toApprenticeError } from '../protocol/errors.ts';

/** Before `initialize` has been accepted: enough for what LSP clients say of themselves. */
export const MAX_FIRST_MESSAGE_BYTES = 256 * 1024;
/** A 1 MiB diff, escaped as JSON, and then some. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Codes of LSP 3.17 and JSON-RPC 2.0. */
export const RPC_CODES = {
  invalidParams: -32602,
  serverNotInitialized: -32002,
  requestFailed: -32803,
  requestCancelled: -32800,
} as const;

export interface Wire {
  connection: MessageConnection;
  /** Sets how many bytes may come in without making up a message. */
  limit(bytes: number): void;
}

/**
 * A connection over `socket`. The socket is destroyed when the other end sends `maxBytes` without a whole
 * message, speaks no JSON-RPC, or does not read what it asked for.
 */
export function openWire(socket: Socket, maxBytes: number): Wire {
  let limitBytes = maxBytes;
  let unreadBytes = 0;
  socket.on('data', (chunk: Buffer) => {
    unreadBytes += chunk.length;
    if (unreadBytes > limitBytes) socket.destroy();
  });
  const inner = new SocketMessageReader(socket);
  // Its timer for half a message goes on after the connection is gone; the byte limit is what counts here.
  inner.partialMessageTimeout = 0;
  const reader: MessageReader = {
    onError: inner.onError,
    onClose: inner.onClose,
    onPartialMessage: inner.onPartialMessage,
    listen: (callback) =>
      inner.listen((message) => {
        unreadBytes = 0;
        callback(message);
      }),
    dispose: () => inner.dispose(),
  };
  const connection = createMessageConnection(reader, new SocketMessageWriter(socket));
  connection.onError(() => socket.destroy());
  socket.on('error', () => socket.destroy());
  return {
    connection,
    limit: (bytes) => {
      limitBytes = bytes;
    },
  };
}

/** How an error goes over the wire: its code and remedy in `data`. */
export function toResponseError(thrown: unknown): ResponseError<unknown> {
  if (thrown instanceof ResponseError) return thrown;
  const error = toApprenticeError(thrown);
  const code =
    error.code === 'aborted'
      ? RPC_CODES.requestCancelled
      : error.code === 'invalid_request'
        ? RPC_CODES.invalidParams
        : RPC_CODES.requestFailed;
  return new ResponseError(code, error.message, { code: error.code, remedy: error.remedy });
}

const ErrorData = z.object({ code: ErrorCode, remedy: z.string() });

/** The error that the other end threw; `worker_unavailable` when the connection ended before the answer. */
export function fromResponseError(thrown: unknown): ApprenticeError {
  const lost =
    thrown instanceof ConnectionError ||
    (thrown instanceof ResponseError && thrown.code === ErrorCodes.PendingResponseRejected);
  if (lost) {
    return new ApprenticeError(
      'worker_unavailable',
      'The connection to the agent-server ended.',
      'Connect again.',
      {
        cause: thrown,
      },
    );
  }
  if (!(thrown instanceof ResponseError)) return toApprenticeError(thrown);
  const data = ErrorData.safeParse(thrown.data);
  return data.success
    ? new ApprenticeError(data.data.code, thrown.message, data.data.remedy, { cause: thrown })
    : toApprenticeError(thrown);
}
