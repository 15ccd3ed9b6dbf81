/**
 * Finds the user's agent-server through its discovery file, or starts one and waits until it listens.
 * Who may start is settled by the agent-server's own lock; talking to it is left to client.ts.
 */
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, readDiscovery } from '../agent-server/discovery.ts';
import { HEAP_ARGUMENTS } from '../agent-server/heap.ts';
import { ApprenticeError } from '../agent-server/protocol/errors.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 100;
const MAX_STDERR_CHARS = 4_000;

export interface ServerLaunch {
  /** Bundled agent-server, run by VS Code's own Node. */
  serverFile: string;
  home: string;
  environment: Record<string, string>;
}

export interface ServerConnection {
  socket: Socket;
  token: string;
}

/** Connects to the running agent-server. Null when none answers; a stale discovery file is none. */
export async function findServer(home: string, signal: AbortSignal): Promise<ServerConnection | null> {
  const discovery = readDiscovery(home);
  if (discovery === undefined) return null;
  const socket = await openSocket(discovery.socket, signal);
  return socket === null ? null : { socket, token: discovery.token };
}

/** Does one run that answers? Nothing is started, and what cannot be read is none. */
export async function serverAnswers(home: string): Promise<boolean> {
  try {
    const discovery = readDiscovery(home);
    return discovery !== undefined && (await answers(discovery));
  } catch {
    // A file that this user may not read: its server is not for this window either.
    return false;
  }
}

/** Connects to the running agent-server, else starts it. Throws `worker_unavailable` or `timeout` with its last words. */
export async function findOrStartServer(
  launch: ServerLaunch,
  signal: AbortSignal,
): Promise<ServerConnection> {
  const running = await findServer(launch.home, signal);
  if (running !== null) return running;

  const child = spawn(process.execPath, [...HEAP_ARGUMENTS, launch.serverFile], {
    // Detached: the server outlives this window, because other windows share it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...launch.environment, ELECTRON_RUN_AS_NODE: '1' },
    windowsHide: true,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_CHARS);
  });
  const exit: { reason: string | null } = { reason: null };
  child.once('error', (error) => {
    exit.reason = error.message;
  });
  // Exit code 0 means that another window's server won the lock; that one is found below.
  child.once('exit', (code, killedBy) => {
    if (code !== 0) exit.reason = `it ended with ${killedBy ?? `exit code ${code}`}`;
  });
  try {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline) {
      signal.throwIfAborted();
      const connection = await findServer(launch.home, signal);
      if (connection !== null) return connection;
      if (exit.reason !== null) {
        throw new ApprenticeError(
          'worker_unavailable',
          `The agent-server did not start: ${exit.reason}. ${stderr.trim()}`.trim(),
          `See ${join(launch.home, 'logs', 'agent-server.log')}.`,
        );
      }
      await delay(POLL_MS, undefined, { signal });
    }
    throw new ApprenticeError(
      'timeout',
      `The agent-server did not answer within ${START_TIMEOUT_MS / 1000} s. ${stderr.trim()}`.trim(),
      `See ${join(launch.home, 'logs', 'agent-server.log')}.`,
    );
  } finally {
    // From here on it logs to its own file; a pipe held open would tie it to this window.
    child.stderr.destroy();
    child.unref();
  }
}

function openSocket(path: string, signal: AbortSignal): Promise<Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, signal });
    const settle = (result: Socket | null): void => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      if (result === null) socket.destroy();
      resolve(result);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => settle(null));
    socket.once('connect', () => settle(socket));
    socket.once('error', () => (signal.aborted ? reject(signal.reason) : settle(null)));
  });
}
