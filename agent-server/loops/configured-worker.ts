/** The gpu-worker of a home folder, as settings and environment say: here with which Python and model, or where else. */
import { join } from 'node:path';
import { type Config, modelFolder, remoteWorker, trainerChoice } from '../config.ts';
import { chosenEngine, engineArguments } from '../engine/config.ts';
import type { Log } from '../log.ts';
import { RemoteWorker } from './remote-worker.ts';
import { WorkerProcess } from './worker-process.ts';

/** Not started yet. The environment wins over `config.json`, that over what the set-up made under the home folder. */
export function configuredWorker(
  home: string,
  config: Pick<Config, 'worker' | 'judge' | 'telemetry'>,
  env: NodeJS.ProcessEnv,
  log: Pick<Log, 'info'>,
): WorkerProcess | RemoteWorker {
  const remote = remoteWorker(config, env);
  if (remote !== null) return new RemoteWorker(remote);
  const { worker } = config;
  const { python, threads, device } =
    worker.kind === 'local' ? worker : { python: null, threads: null, device: 'cpu' };
  const engine = worker.kind === 'local' ? worker.engine : ({ kind: 'embedded' } as const);
  const venv = join(home, 'runtime', 'venv');
  return new WorkerProcess({
    home,
    model: modelFolder(home, config, env),
    python:
      env['APPRENTICE_PYTHON'] ??
      python ??
      join(venv, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'])),
    threads,
    device,
    trainer: trainerChoice(config, env),
    maxRunning: worker.maxRunning,
    engine: engineArguments(
      chosenEngine(engine, env),
      config.judge.kind === 'worker' ? config.judge.model : null,
      env['APPRENTICE_LLAMA_CPP'] ?? join(home, 'runtime', 'llama-cpp'),
    ),
    metrics: config.telemetry.metrics,
    log: log.info,
  });
}
