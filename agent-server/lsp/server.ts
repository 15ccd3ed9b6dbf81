/** Listens on the local socket or named pipe and keeps the editors' connections. One connection is connection.ts. */

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LearningState } from '../protocol/editor.ts';
import { type ConnectionContext, type EditorConnection, serveConnection } from './connection.ts';

/** A Unix socket's path is cut at 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH_BYTES = 100;
const MAX_CONNECTIONS = 64;

/** Where to listen for a home folder: in it, or where its path is too long, in a private temporary folder. */
export function socketPath(home: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\apprentice-${randomBytes(16).toString('hex')}`;
  const inHome = join(home, 'agent-server.sock');
  if (Buffer.byteLength(inHome) <= MAX_SOCKET_PATH_BYTES) return inHome;
  return join(mkdtempSync(join(tmpdir(), 'apprentice-')), 'agent-server.sock');
}

export interface LspServer {
  learningChanged(state: LearningState): void;
  close(): Promise<void>;
}

/** Listens at `path`. The caller holds the home folder's lock: a socket file that lies there is a dead server's. */
export async function startLspServer(path: string, context: ConnectionContext): Promise<LspServer> {
  const connections = new Set<EditorConnection>();
  const server = createServer((socket) => {
    const connection = serveConnection(socket, context);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  server.maxConnections = MAX_CONNECTIONS;
  const isFile = process.platform !== 'win32';
  if (isFile) rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => context.log.error(`The editors' socket: ${error.message}`));
  if (isFile) chmodSync(path, 0o600);

  return {
    learningChanged: (state) => {
      for (const connection of connections) connection.learningChanged(state);
    },
    close: async () => {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.close();
      await ended;
      if (isFile && dirname(path).startsWith(join(tmpdir(), 'apprentice-'))) {
        rmSync(path, { force: true });
      }
    },
  };
}
