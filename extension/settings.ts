/** The extension's settings: the only place that reads them. What each means is said in package.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Uri, workspace } from 'vscode';
import { homeFolder } from '../agent-server/config.ts';
import type { TrainerName } from '../agent-server/protocol/trainer-choice.ts';

const TRAINERS: readonly TrainerName[] = ['torch', 'megatron'];

export interface Settings {
  /** Absolute path of the home folder. */
  home: string;
  /** Interpreter and model folder set by the user; null: what the set-up made under the home folder. */
  python: string | null;
  model: string | null;
  /** What answers on this machine; null: as the environment or config.json says. */
  engine:
    | { kind: 'llama-cpp'; gguf: string | null }
    | { kind: 'sglang' }
    | { kind: 'url'; url: string }
    | null;
  /** What trains on this machine; null: as config.json says. */
  trainer: TrainerName | null;
}

/** Settings win over the environment, the environment over the platform's default. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const configuration = workspace.getConfiguration('apprentice');
  const text = (key: string): string | null => configuration.get<string>(key, '').trim() || null;
  return {
    home: text('home') ?? homeFolder(env),
    python: text('python') ?? env['APPRENTICE_PYTHON'] ?? null,
    model: text('model') ?? env['APPRENTICE_MODEL'] ?? null,
    engine: engineSetting(text('worker.engine'), text('worker.engineUrl'), text('worker.gguf')),
    trainer: trainerSetting(),
  };
}

/** `url` without one is none yet: the server in `config.json` may have it. */
function engineSetting(kind: string | null, url: string | null, gguf: string | null): Settings['engine'] {
  if (kind === 'llama-cpp') return { kind, gguf };
  if (kind === 'sglang') return { kind };
  return kind === 'url' ? { kind, url: url ?? '' } : null;
}

/** What the user has set: the default of a setting must not win over config.json. */
function trainerSetting(): TrainerName | null {
  const set = workspace.getConfiguration('apprentice').inspect<unknown>('worker.trainer')?.globalValue;
  return TRAINERS.find((name) => name === set) ?? null;
}

/** Who judges where nothing else tells. A value that package.json does not name is none. */
export function judgeSetting(): 'none' | 'vscode' {
  return workspace.getConfiguration('apprentice').get('judge') === 'vscode' ? 'vscode' : 'none';
}

/** What VS Code itself stages for a commit when nothing is staged (`git.smartCommitChanges`). */
export function smartCommitChanges(): 'all' | 'tracked' {
  return workspace.getConfiguration('git').get('smartCommitChanges') === 'tracked' ? 'tracked' : 'all';
}

/** The lists of patterns that are not captured in a workspace folder: the user's, the workspace's, the folder's. */
export function ignoredInSettings(folder: string): string[][] {
  const values = workspace
    .getConfiguration('apprentice', Uri.file(folder))
    .inspect<unknown>('capture.ignore');
  return [values?.globalValue, values?.workspaceValue, values?.workspaceFolderValue].map((value) =>
    Array.isArray(value) ? value.filter((pattern) => typeof pattern === 'string') : [],
  );
}

/**
 * The variables through which an agent-server learns these settings (ARCHITECTURE.md, "Home folder"). `worker`: the
 * pairing line of one on another machine.
 */
export function serverEnvironment(settings: Settings, worker: string | null): Record<string, string> {
  return {
    ...(worker === null ? {} : { APPRENTICE_WORKER: worker }),
    APPRENTICE_HOME: settings.home,
    ...(settings.python === null ? {} : { APPRENTICE_PYTHON: settings.python }),
    ...(settings.model === null ? {} : { APPRENTICE_MODEL: settings.model }),
    ...(settings.engine === null ? {} : { APPRENTICE_ENGINE: settings.engine.kind }),
    ...(settings.engine?.kind === 'url' ? { APPRENTICE_ENGINE_URL: settings.engine.url } : {}),
    ...(settings.engine?.kind === 'llama-cpp' && settings.engine.gguf !== null
      ? { APPRENTICE_GGUF: settings.engine.gguf }
      : {}),
    ...(settings.trainer === null ? {} : { APPRENTICE_TRAINER: settings.trainer }),
  };
}

/** Is there an interpreter and a model to start with? A look at the disk, so it is right before any server runs. */
export function hasRuntime(settings: Settings): boolean {
  const venv = join(settings.home, 'runtime', 'venv');
  const python =
    settings.python ?? join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  return existsSync(python) && existsSync(settings.model ?? join(settings.home, 'runtime', 'model'));
}
