/**
 * The gpu-worker as a child process: started with a key of its own, restarted with back-off when it dies, ended
 * by closing its standard input. Talking to it is left to engine/http-engine.ts and worker-link.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { EngineEndpoint } from '../engine/http-client.ts';
import { BackOff } from '../protocol/back-off.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { TORCH, type TrainerChoice, toFlags } from '../protocol/trainer-choice.ts';

export interface WorkerProcessOptions {
  home: string;
  model: string;
  python: string;
  /** Null: all cores. */
  threads: number | null;
  /** What it computes on (protocol/device.ts); the processor where none is given. */
  device?: string;
  /** The torch trainer where none is given. */
  trainer?: TrainerChoice;
  /** Requests that the engine decodes together. */
  maxRunning: number;
  /** Flags and variables that say which engine it runs (engine/config.ts); without them, its own. */
  engine?: { flags: readonly string[]; env: Readonly<Record<string, string>> };
  log: (line: string) => void;
  /** Tells `GET /metrics`. */
  metrics?: boolean;
  /** What is run as the worker; without it, the gpu-worker that lies beside this file. */
  file?: string;
}

const Ready = z.object({ ready: z.literal(true), port: z.number().int().min(1).max(65_535) });

/** HTTP answers long before the model is loaded, so this is only the start of a Node process. */
const READY_LIMIT_MS = 30_000;
/** After its input ends the worker lets its children end; then it is killed. */
const STOP_LIMIT_MS = 5_000;

/** The worker's own file: source beside source, bundle beside bundle. */
function workerFile(): string {
  const here = import.meta.dirname;
  return import.meta.filename.endsWith('.ts')
    ? join(here, '..', '..', 'gpu-worker', 'main.ts')
    : join(here, 'gpu-worker.mjs');
}

export class WorkerProcess {
  readonly #options: WorkerProcessOptions;
  readonly #backOff = new BackOff();
  readonly #listeners = new Set<(endpoint: EngineEndpoint | null) => void>();
  #child: ChildProcess | null = null;
  #endpoint: EngineEndpoint | null = null;
  #restart: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
  }

  /** Where it listens. Throws `worker_unavailable` while it starts. */
  readonly endpoint = (): EngineEndpoint => {
    if (this.#endpoint) return this.#endpoint;
    throw new ApprenticeError(
      'worker_unavailable',
      'The gpu-worker is not running.',
      'It is restarted; see logs/gpu-worker.log.',
    );
  };

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Called with every new endpoint, and with null when it is lost. Returns the disposer. */
  onChange(listener: (endpoint: EngineEndpoint | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (!this.#child && !this.#stopping) this.#spawn();
  }

  /** Ends it for good. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart) clearTimeout(this.#restart);
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await gone;
    clearTimeout(kill);
  }

  #spawn(): void {
    const {
      home,
      model,
      python,
      threads,
      device = 'cpu',
      trainer = TORCH,
      maxRunning,
      engine,
      log,
      file = workerFile(),
    } = this.#options;
    const key = randomBytes(32).toString('base64url');
    const flags = ['--home', join(home, 'worker'), '--logs', join(home, 'logs')];
    flags.push('--model', model, '--python', python, '--device', device, '--max-running', String(maxRunning));
    if (threads !== null) flags.push('--threads', String(threads));
    flags.push(...toFlags(trainer));
    flags.push(...(engine?.flags ?? []));
    if (this.#options.metrics) flags.push('--metrics');
    const startedAtMs = performance.now();
    const child = spawn(process.execPath, [...process.execArgv, file, ...flags], {
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      // The environment and not an argument: other users of the machine can read arguments.
      env: { ...engine?.env, ...process.env, APPRENTICE_WORKER_KEY: key },
    });
    this.#child = child;
    const readyLimit = setTimeout(() => {
      log(`The gpu-worker was not ready within ${READY_LIMIT_MS} ms.`);
      child.kill('SIGKILL');
    }, READY_LIMIT_MS);
    child.stdin.on('error', (error) => log(`gpu-worker, standard input: ${error.message}`));
    createInterface({ input: child.stderr }).on('line', log);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const port = readyPort(line);
      if (port === null) return log(line);
      clearTimeout(readyLimit);
      this.#change({ url: `http://127.0.0.1:${port}`, key });
    });
    child.once('error', (error) => log(`The gpu-worker could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      clearTimeout(readyLimit);
      this.#child = null;
      this.#change(null);
      if (this.#stopping) return;
      const delayMs = this.#backOff.delayMs(performance.now() - startedAtMs);
      log(`The gpu-worker ended (${signal ?? `code ${code}`}); it is started again in ${delayMs} ms.`);
      this.#restart = setTimeout(() => this.#spawn(), delayMs);
    });
  }

  #change(endpoint: EngineEndpoint | null): void {
    if (this.#endpoint === null && endpoint === null) return;
    this.#endpoint = endpoint;
    for (const listener of this.#listeners) listener(endpoint);
  }
}

function readyPort(line: string): number | null {
  try {
    const ready = Ready.safeParse(JSON.parse(line));
    return ready.success ? ready.data.port : null;
  } catch {
    // Anything else on standard output is a message for the log.
    return null;
  }
}
