/** The gpu-worker of a home folder, as settings and environment say: with which Python, which model, how many threads. */
import { join } from 'node:path';
import { type Config, modelFolder } from '../config.ts';
import type { Log } from '../log.ts';
import { WorkerProcess } from './worker-process.ts';

/** Not started yet. The environment wins over `config.json`, that over what the set-up made under the home folder. */
export function configuredWorker(
  home: string,
  config: Pick<Config, 'worker'>,
  env: NodeJS.ProcessEnv,
  log: Pick<Log, 'info'>,
): WorkerProcess {
  const venv = join(home, 'runtime', 'venv');
  return new WorkerProcess({
    home,
    model: modelFolder(home, config, env),
    python:
      env['APPRENTICE_PYTHON'] ??
      config.worker.python ??
      join(venv, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'])),
    threads: config.worker.threads,
    maxRunning: config.worker.maxRunning,
    log: log.info,
  });
}
