/** VS Code served to a browser on a loopback port (code-server), with the packaged extension installed. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { installedNode } from '../../../gpu-worker/setup/npm.mjs';
import { repositoryRoot } from '../../fixtures/runtime.ts';
import { type ProcessGroup, startGroup } from './process-group.ts';
import type { Profile } from './profile.ts';

const START_LIMIT_MS = 30_000;
const INSTALL_LIMIT_MS = 60_000;
const POLL_MS = 100;

export const packagedExtension = join(repositoryRoot, 'dist', 'apprentice.vsix');

/** For VS Code's command line. */
export function installFlags({ companions }: Profile): string[] {
  return [packagedExtension, ...companions].flatMap((file) => ['--install-extension', file]);
}

const vscodeFolder = process.env['APPRENTICE_VSCODE'] ?? join(repositoryRoot, '.apprentice', 'vscode');
const entry = join(vscodeFolder, 'node_modules', 'code-server', 'out', 'node', 'entry.js');

/** Is the VS Code of set-up there? */
export function hasCodeServer(): boolean {
  return existsSync(entry);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      );
    });
  });
}

export interface CodeServer {
  /** Page of the workbench for a folder. */
  urlFor: (folder: string) => string;
  group: ProcessGroup;
  /** Last lines of the server's log. */
  log: () => string;
}

/** Installs the .vsix into the profile and starts the server; resolves when it answers. */
export async function startCodeServer(
  profile: Profile,
  options: { port?: number } = {},
): Promise<CodeServer> {
  const node = installedNode(vscodeFolder);
  const folders = ['--user-data-dir', profile.userData, '--extensions-dir', profile.extensions];
  const config = join(profile.root, 'code-server.yaml');
  writeFileSync(config, '');
  const install = [entry, '--config', config, ...folders, ...installFlags(profile), '--force'];
  await promisify(execFile)(node, install, { env: profile.env, timeout: INSTALL_LIMIT_MS });

  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const logFile = join(profile.root, 'code-server.log');
  const flags = ['--auth', 'none', '--disable-telemetry', '--disable-update-check', '--ignore-last-opened'];
  const group = startGroup(
    node,
    [
      entry,
      '--bind-addr',
      address,
      '--config',
      config,
      ...folders,
      ...flags,
      '--disable-getting-started-override',
    ],
    { env: profile.env, cwd: profile.root, logFile },
  );
  const log = (): string => readFileSync(logFile, 'utf8').slice(-4_000);
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (!(await answers(`http://${address}/healthz`))) {
    if (performance.now() > deadlineMs || group.child.exitCode !== null) {
      await group.end();
      throw new Error(`code-server does not answer on ${address}.\n${log()}`);
    }
    await delay(POLL_MS);
  }
  return { urlFor: (folder) => `http://${address}/?folder=${encodeURIComponent(folder)}`, group, log };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Refused until it listens; the caller has the limit.
    return false;
  }
}
