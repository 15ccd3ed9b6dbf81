/** A desktop VS Code, downloaded by @vscode/test-electron, driven through the same workbench as the browser's. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath } from '@vscode/test-electron';
import { _electron } from 'playwright-core';
import { packagedExtension } from './code-server.ts';
import type { OpenWindow } from './launch.ts';
import type { Profile } from './profile.ts';
import { Workbench } from './workbench.ts';

/** The newest that `engines.vscode` names and the tests were written against. */
const VSCODE_VERSION = '1.139.1';
const INSTALL_LIMIT_MS = 60_000;

/** Rejects where the download cannot be had; `desktopVSCode` tells beforehand. */
export async function openDesktop(profile: Profile, folder: string): Promise<OpenWindow> {
  const executablePath = await downloadAndUnzipVSCode(VSCODE_VERSION);
  const [cli = executablePath, ...cliArgs] = resolveCliArgsFromVSCodeExecutablePath(executablePath);
  const folders = [`--user-data-dir=${profile.userData}`, `--extensions-dir=${profile.extensions}`];
  await promisify(execFile)(
    cli,
    [...cliArgs, ...folders, '--install-extension', packagedExtension, '--force'],
    {
      env: profile.env,
      timeout: INSTALL_LIMIT_MS,
    },
  );
  const app = await _electron.launch({
    executablePath,
    args: [...folders, '--no-sandbox', '--disable-telemetry', '--disable-updates', '--skip-welcome', folder],
    env: Object.fromEntries(
      Object.entries(profile.env).filter((entry): entry is [string, string] => !!entry[1]),
    ),
  });
  return { workbench: new Workbench(await app.firstWindow()), close: () => app.close() };
}
