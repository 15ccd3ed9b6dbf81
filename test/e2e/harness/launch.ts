/**
 * Opens a real VS Code on a folder for a test and takes all of it down again: the browser, the server, and the
 * agent-server that the extension started, which is made to outlive its window. On Linux it is code-server in
 * Chromium; elsewhere, or with APPRENTICE_E2E=desktop, a desktop VS Code (desktop.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { takeLock } from '../../../agent-server/lock.ts';
import { Discovery } from '../../../agent-server/protocol/discovery.ts';
import { hasCodeServer, startCodeServer } from './code-server.ts';
import { desktopVSCode, openDesktop } from './desktop.ts';
import { findChromium } from './install.mjs';
import { eventually } from './process-group.ts';
import { definedOnly, type Profile } from './profile.ts';
import { Workbench } from './workbench.ts';

const AGENT_SERVER_LIMIT_MS = 60_000;
const VIEWPORT = { width: 1360, height: 900 };

export interface OpenWindow {
  workbench: Workbench;
  /** Ends everything that opening it started. */
  close: () => Promise<void>;
}

/** code-server in Chromium, not a desktop VS Code. */
export function usesBrowser(): boolean {
  return process.env['APPRENTICE_E2E'] !== 'desktop' && hasCodeServer();
}

/** Why there is no VS Code to test in, for `describe`'s `skip`; false when there is one. */
export async function missingVSCode(): Promise<string | false> {
  if (usesBrowser()) return false;
  try {
    await desktopVSCode();
    return false;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `no code-server here, and a desktop VS Code cannot be had: ${cause}`;
  }
}

/** Opens `folder` and resolves when the window is drawn. */
export async function openWindow(profile: Profile, folder: string): Promise<OpenWindow> {
  const window = usesBrowser() ? await openInBrowser(profile, folder) : await openDesktop(profile, folder);
  const opened: OpenWindow = {
    workbench: window.workbench,
    async close() {
      const ends = await Promise.allSettled([window.close(), endAgentServer(profile.apprenticeHome)]);
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
  try {
    await window.workbench.ready();
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}

async function openInBrowser(profile: Profile, folder: string): Promise<OpenWindow> {
  const executablePath = findChromium();
  if (executablePath === null)
    throw new Error('No Chromium or Chrome. Install one, or set CHROMIUM to its path.');
  const server = await startCodeServer(profile);
  try {
    const browser = await chromium.launch({
      executablePath,
      env: definedOnly(profile.env),
      // Chromium's sandbox does not work for root, and in many containers for nobody.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    });
    const close = async (): Promise<void> => {
      try {
        await browser.close();
      } finally {
        await server.group.end();
      }
    };
    const context = await browser.newContext({ viewport: VIEWPORT });
    const page = await context.newPage();
    await page.goto(server.urlFor(folder));
    return { workbench: new Workbench(page), close };
  } catch (error) {
    await server.group.end();
    throw new Error(`The workbench could not be opened.\n${server.log()}`, { cause: error });
  }
}

/** Ends the agent-server of a home folder, if one runs, and waits until it is gone. */
export async function endAgentServer(home: string): Promise<void> {
  const lock = await takeLock(home);
  if (lock !== null) return lock.release();
  // Held, so one runs; it may be so young that it cannot be found yet.
  const file = join(home, 'discovery.json');
  if (!(await eventually(() => existsSync(file), AGENT_SERVER_LIMIT_MS))) {
    throw new Error(`An agent-server holds ${home} and does not say where it is.`);
  }
  const { pid } = Discovery.parse(JSON.parse(readFileSync(file, 'utf8')));
  const alive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      // ESRCH: it has ended.
      return false;
    }
  };
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!alive()) return;
    process.kill(pid, signal);
    if (await eventually(() => !alive(), AGENT_SERVER_LIMIT_MS)) return;
  }
  throw new Error(`The agent-server (process ${pid}) does not end.`);
}
