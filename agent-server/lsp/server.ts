/** Listens on the local socket or named pipe and keeps the editors' connections. One connection is connection.ts. */

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EditsProposed, LearningState } from '../protocol/editor.ts';
import { type ConnectionContext, type EditorConnection, serveConnection } from './connection.ts';

/** A Unix socket's path is cut at 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH_BYTES = 100;
const MAX_CONNECTIONS = 64;

export interface SocketPlace {
  path: string;
  /** Removes what was made for it. */
  release(): void;
}

/** Where to listen for a home folder: in it, or where its path is too long, in a private temporary folder. */
export function socketPlace(home: string): SocketPlace {
  if (process.platform === 'win32') {
    const path = `\\\\.\\pipe\\apprentice-${randomBytes(16).toString('hex')}`;
    return { path, release: () => undefined };
  }
  const inHome = join(home, 'agent-server.sock');
  if (Buffer.byteLength(inHome) <= MAX_SOCKET_PATH_BYTES) {
    return { path: inHome, release: () => rmSync(inHome, { force: true }) };
  }
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-'));
  return {
    path: join(folder, 'agent-server.sock'),
    release: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface LspServer {
  learningChanged(state: LearningState): void;
  editsProposed(proposed: EditsProposed): void;
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
    editsProposed: (proposed) => {
      for (const connection of connections) connection.editsProposed(proposed);
    },
    close: async () => {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.close();
      await ended;
    },
  };
}
