/** A throw-away user: its own home, settings, extensions folder and Apprentice home, with the packaged .vsix inside. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtime } from '../../fixtures/runtime.ts';

const SETTINGS = {
  'telemetry.telemetryLevel': 'off',
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'extensions.ignoreRecommendations': true,
  'extensions.autoCheckUpdates': false,
  'git.autofetch': false,
  'remote.autoForwardPorts': false,
  'git.openRepositoryInParentFolders': 'never',
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'security.workspace.trust.startupPrompt': 'always',
  'terminal.integrated.defaultProfile.linux': 'bash',
};

export interface Profile {
  root: string;
  userData: string;
  extensions: string;
  /** .vsix files that are installed besides the extension under test. */
  companions: readonly string[];
  /** `APPRENTICE_HOME` of this user. */
  apprenticeHome: string;
  /** Environment of VS Code and, through it, of the agent-server. */
  env: NodeJS.ProcessEnv;
  remove: () => void;
}

/** `parent`: a folder to keep the profile in; without one it is temporary. `settings` are added to the defaults. */
export function makeProfile(
  options: { parent?: string; settings?: Record<string, unknown>; companions?: readonly string[] } = {},
): Profile {
  const root = options.parent ?? mkdtempSync(join(tmpdir(), 'apprentice-e2e-'));
  const folder = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const userData = folder('data');
  const apprenticeHome = folder('apprentice');
  const { python, model } = runtime();
  writeFileSync(
    join(folder('data/User'), 'settings.json'),
    JSON.stringify({ ...SETTINGS, ...options.settings }, null, 2),
  );
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: folder('home'),
    TMPDIR: folder('tmp'),
    XDG_RUNTIME_DIR: folder('run'),
    XDG_CONFIG_HOME: folder('config'),
    XDG_DATA_HOME: folder('share'),
    XDG_CACHE_HOME: folder('cache'),
    // What a developer has set for git (hooks, signing, a template) must not reach the tests.
    GIT_CONFIG_GLOBAL: join(folder('config'), 'gitconfig'),
    GIT_CONFIG_NOSYSTEM: '1',
    APPRENTICE_HOME: apprenticeHome,
    APPRENTICE_PYTHON: python,
    APPRENTICE_MODEL: model,
  };
  // Both would make VS Code's command line talk to the editor that the developer has open.
  delete env['VSCODE_IPC_HOOK_CLI'];
  delete env['NODE_TEST_CONTEXT'];
  return {
    root,
    userData,
    extensions: folder('extensions'),
    companions: options.companions ?? [],
    apprenticeHome,
    env,
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}

/** An environment without the names that are unset, as Playwright wants it. */
export function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
