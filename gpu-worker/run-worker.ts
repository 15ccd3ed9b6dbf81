/**
 * A gpu-worker in this process: engine and trainer with their Python, the users and what is theirs, one port. Who starts it,
 * with which flags, and what is printed is main.ts (the agent-server's child) and cli.ts (a machine of its own).
 */
import type { Server } from 'node:http';
import { join } from 'node:path';
import { ApprenticeError, toApprenticeError } from '../agent-server/protocol/errors.ts';
import type { TrainerChoice } from '../agent-server/protocol/trainer-choice.ts';
import type { EngineChoice, JudgeChoice } from './engine/choice.ts';
import { createWorkerEngine } from './engine/create.ts';
import { FullWeightEngine } from './engine/full-weights.ts';
import { createJudgeEngine } from './engine/judge-engine.ts';
import { loadTokenizer } from './engine/tokenizer.ts';
import { logFile } from './log-file.ts';
import { type Tls, workerServer } from './server.ts';
import { megatronBackend } from './trainer/megatron.ts';
import { torchBackend } from './trainer/torch.ts';
import { TrainingQueue } from './trainer/training-queue.ts';
import { Users } from './users/users.ts';
import { baseModelName } from './weights/base-model.ts';

export interface WorkerSettings {
  /** Users, their weights and moments, and what is being received. */
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
  trainer: TrainerChoice;
  /** The first user's. Others are in `users.json`. */
  key: string;
  /** Address to listen on. */
  host: string;
  /** 0: the system's choice. */
  port: number;
  tls: Tls | null;
  /** Names besides the loopback ones that clients may call it by. */
  hosts: readonly string[];
  /** Are there metrics to be scraped? */
  metrics: 'on' | 'off';
}

export interface RunningWorker {
  port: number;
  baseModel: string;
  /** Names of the users besides the first. */
  users: readonly string[];
  /** Ends the Python processes, then resolves. */
  stop(): Promise<void>;
}

/** Listens when it resolves; the model is loaded after that. Throws `setup_failed` for a folder that is no model. */
export async function runWorker(settings: WorkerSettings): Promise<RunningWorker> {
  const { home, logs, model, python, threads, maxRunning, device, trainer, key, tls, hosts } = settings;
  const log = logFile(join(logs, 'gpu-worker.log'));
  const weights = trainer.kind === 'megatron' ? trainer.weights : 'adapter';
  const { engine: choice } = settings;
  if (weights === 'full' && choice.kind === 'llama-cpp')
    throw new ApprenticeError(
      'invalid_request',
      'The llama.cpp engine takes other weights at its start alone, so it cannot serve versions with all of them.',
      'Train adapters, or choose another engine.',
    );
  // Adapters and whole models cannot go on from one another: for the agent-server they are of two bases.
  const baseModel = `${await baseModelName(model)}${weights === 'full' ? '+full' : ''}`;
  const context = choice.kind === 'llama-cpp' ? choice.context : undefined;
  const tokenizer = await loadTokenizer(model, context);
  const engineLog = logFile(join(logs, 'engine.log'));
  const created = await createWorkerEngine({
    choice: weights === 'full' ? withoutAdapters(choice) : choice,
    ...{ tokenizer, home, python, model, threads, maxRunning, device, log: engineLog },
  });
  const full = weights === 'full' ? new FullWeightEngine(created.engine, engineLog) : null;
  const engine = full ?? created.engine;
  const judging = { home, python, threads, maxRunning, device, log: engineLog };
  const judge = settings.judge === null ? null : await createJudgeEngine(settings.judge, judging);
  const trainerLog = logFile(join(logs, 'trainer.log'));
  const training = { python, model, threads, device, log: trainerLog };
  const backend =
    trainer.kind === 'torch'
      ? torchBackend({ ...training, precision: trainer.precision })
      : megatronBackend(training, trainer);
  const queue = new TrainingQueue();
  const measure = settings.metrics === 'on' ? (await import('./users/measure.ts')).measure : null;
  const { ownRoutes } = created;
  const pauses = full?.pauses ?? null;
  const shared = {
    ...{
      engine,
      ownRoutes,
      backend,
      weights,
      pauses,
      queue,
      tokenizer,
      baseModel,
      engineLog,
      measure,
      judge,
    },
  };
  const users = new Users({ home, key, shared, log });
  await users.open();
  engine.onStateChange(() => users.statusChanged());
  backend.onStateChange(() => users.statusChanged());
  const server = workerServer({
    admit: (headers) => users.admit(headers),
    health: () => engine.state().state === 'ready',
    log,
    tls,
    hosts,
  });
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
    users: users.added,
    stop: async () => {
      ending.abort();
      log('Ending.');
      const closed = users.close();
      server.close();
      server.closeAllConnections();
      await Promise.allSettled([closed, engine.stop(), judge?.engine.stop(), backend.stop()]);
    },
  };
}

/** Room for adapters that never come is left to the cache. */
function withoutAdapters(choice: EngineChoice): EngineChoice {
  return choice.kind === 'sglang' ? { ...choice, maxAdapters: 0 } : choice;
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
