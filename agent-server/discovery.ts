/** The discovery file: written whole or not at all, read with suspicion, and believed only when its socket answers. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Discovery } from './protocol/discovery.ts';

const FILE = 'discovery.json';

/** Mode 0600 from its first byte: it holds the token. */
export function writeDiscovery(home: string, discovery: Discovery): void {
  const temporary = join(home, `${FILE}.${discovery.pid}.tmp`);
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(discovery, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, join(home, FILE));
}

/** Undefined when there is none, or none that parses: an older format, or half of one. */
export function readDiscovery(home: string): Discovery | undefined {
  let text: string;
  try {
    text = readFileSync(join(home, FILE), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return Discovery.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Removes the file if it is still the one written with this token. */
export function removeDiscovery(home: string, token: string): void {
  if (readDiscovery(home)?.token === token) rmSync(join(home, FILE), { force: true });
}

/**
 * Does the server it names still live? A pid proves nothing (numbers are used again) and a socket file neither;
 * only an accepted connection does.
 */
export function answers(discovery: Discovery, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: discovery.socket });
    const settle = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
