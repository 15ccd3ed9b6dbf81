/** A desktop VS Code, downloaded once by @vscode/test-electron, driven through the same workbench as the browser's. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath } from '@vscode/test-electron';
import { _electron } from 'playwright-core';
import { repositoryRoot } from '../../fixtures/runtime.ts';
import { installFlags } from './code-server.ts';
import type { OpenWindow } from './launch.ts';
import { definedOnly, type Profile } from './profile.ts';
import { Workbench } from './workbench.ts';

/** The same VS Code as code-server's, so that both run the same tests. */
const VSCODE_VERSION = '1.139.1';
const INSTALL_LIMIT_MS = 60_000;

/** Path of its executable, downloaded when it is not there yet. Rejects where it cannot be had. */
export function desktopVSCode(): Promise<string> {
  const cachePath = join(repositoryRoot, '.apprentice', 'vscode-desktop');
  return downloadAndUnzipVSCode({ version: VSCODE_VERSION, cachePath });
}

export async function openDesktop(profile: Profile, folder: string): Promise<OpenWindow> {
  const executablePath = await desktopVSCode();
  const [cli = executablePath, ...cliArgs] = resolveCliArgsFromVSCodeExecutablePath(executablePath);
  const folders = [`--user-data-dir=${profile.userData}`, `--extensions-dir=${profile.extensions}`];
  await promisify(execFile)(cli, [...cliArgs, ...folders, ...installFlags(profile), '--force'], {
    env: profile.env,
    timeout: INSTALL_LIMIT_MS,
  });
  const app = await _electron.launch({
    executablePath,
    args: [...folders, '--no-sandbox', '--disable-telemetry', '--disable-updates', '--skip-welcome', folder],
    env: definedOnly(profile.env),
  });
  return { workbench: new Workbench(await app.firstWindow()), close: () => app.close() };
}
