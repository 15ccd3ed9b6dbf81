/**
 * A gpu-worker in this process: engine and trainer with their Python, the weights, the link, one port. Who starts it,
 * with which flags, and what is printed is main.ts (the agent-server's child) and cli.ts (a machine of its own).
 */
import type { Server } from 'node:http';
import { join } from 'node:path';
import { toApprenticeError } from '../agent-server/protocol/errors.ts';
import type { EngineChoice, JudgeChoice } from './engine/choice.ts';
import { createWorkerEngine } from './engine/create.ts';
import { createJudgeEngine } from './engine/judge-engine.ts';
import { engineRoutes } from './engine/routes.ts';
import { loadTokenizer } from './engine/tokenizer.ts';
import { LinkServer } from './link/link-server.ts';
import { logFile } from './log-file.ts';
import { type Tls, workerServer } from './server.ts';
import { TrainingRuns } from './trainer/runs.ts';
import { TorchBackend } from './trainer/torch.ts';
import { baseModelName } from './weights/base-model.ts';
import { Weights } from './weights/weights.ts';

export interface WorkerSettings {
  /** Weights, moments, and what is being received. */
  home: string;
  logs: string;
  model: string;
  python: string;
  engine: EngineChoice;
  /** Null: the worker has no second model. */
  judge: JudgeChoice | null;
  /** Math threads of engine and trainer each; null: all cores. */
  threads: number | null;
  /** Requests that the engine decodes together. */
  maxRunning: number;
  /** torch's name of what engine and trainer compute on: `cpu`, `cuda`, `cuda:1`. */
  device: string;
  key: string;
  /** Address to listen on. */
  host: string;
  /** 0: the system's choice. */
  port: number;
  tls: Tls | null;
  /** Names besides the loopback ones that clients may call it by. */
  hosts: readonly string[];
}

export interface RunningWorker {
  port: number;
  baseModel: string;
  /** Ends the Python processes, then resolves. */
  stop(): Promise<void>;
}

/** Listens when it resolves; the model is loaded after that. Throws `setup_failed` for a folder that is no model. */
export async function runWorker(settings: WorkerSettings): Promise<RunningWorker> {
  const { home, logs, model, python, threads, maxRunning, device, key, tls, hosts } = settings;
  const log = logFile(join(logs, 'gpu-worker.log'));
  const baseModel = await baseModelName(model);
  const weights = new Weights(home, baseModel);
  await weights.open();
  const tokenizer = await loadTokenizer(model);
  const engineLog = logFile(join(logs, 'engine.log'));
  const { engine, ownRoutes } = await createWorkerEngine({
    ...{ choice: settings.engine, tokenizer, python, model, threads, maxRunning, device, log: engineLog },
  });
  const shared = { python, threads, maxRunning, device, log: engineLog };
  const judge = settings.judge === null ? null : await createJudgeEngine(settings.judge, shared);
  const trainerLog = logFile(join(logs, 'trainer.log'));
  const backend = new TorchBackend({ python, model, threads, device, log: trainerLog });
  const link = new LinkServer({
    home,
    trainer: new TrainingRuns(weights, backend, log),
    weights,
    view: {
      baseModel,
      engine: () => engine.state(),
      trainer: () => backend.state(),
      engineEpoch: () => engine.epoch,
      unloadAll: () => engine.unloadAll(),
    },
    log,
  });
  await link.open();
  engine.onStateChange(() => link.statusChanged());
  backend.onStateChange(() => link.statusChanged());
  const routes = ownRoutes.route('/', engineRoutes({ engine, tokenizer, log: engineLog }));
  if (judge !== null) routes.route('/judge', judge.routes);
  const server = workerServer({ key, routes, weights, link, log, tls, hosts });
  const port = await listen(server, settings);
  log(`Listening on ${settings.host}, port ${port}, process ${process.pid}.`);

  const ending = new AbortController();
  // The engine first: an answer is waited for, a lesson is not. Both load half a gigabyte from one disk.
  engine
    .start(ending.signal)
    .catch((thrown) => log(`Engine: ${toApprenticeError(thrown).message}`))
    .then(() => judge?.engine.start(ending.signal))
    .catch((thrown) => log(`Judge: ${toApprenticeError(thrown).message}`))
    .finally(() => {
      if (!ending.signal.aborted) backend.start();
    });
  return {
    port,
    baseModel,
    stop: async () => {
      ending.abort();
      log('Ending.');
      link.close();
      server.close();
      server.closeAllConnections();
      await Promise.allSettled([engine.stop(), judge?.engine.stop(), backend.stop()]);
    },
  };
}

/** Returns the port that it listens on. Throws what the system says: taken, not allowed, no such address. */
async function listen(
  server: Server,
  { host, port }: Pick<WorkerSettings, 'host' | 'port'>,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}
