/**
 * A training backend behind one Python child at the lowest priority, one job at a time. Which program that is, torch.ts
 * and megatron.ts say. Restarting it is python-process.ts, running a job again after its death runs.ts.
 */
import { randomUUID } from 'node:crypto';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { TrainMetrics } from '../../agent-server/protocol/training.ts';
import { PythonProcess } from '../python-process.ts';
import { type TrainerCommand, TrainerEvent } from './messages.ts';
import type { OnProgress, TrainBackend, TrainJob } from './trainer.ts';

/** The trainer takes what serving leaves over. */
const LOWEST_PRIORITY = 19;
/** Without any word for this long a run hangs: progress comes with every pass over a few hundred tokens. */
const SILENCE_LIMIT_MS = 600_000;

export interface PythonBackendOptions {
  python: string;
  /** Run as `python -m module ...args`; speaks messages.ts. */
  module: string;
  args: readonly string[];
  log: (line: string) => void;
}

interface Running {
  id: string;
  onProgress: OnProgress;
  resolve(metrics: TrainMetrics): void;
  reject(error: ApprenticeError): void;
}

export class PythonBackend implements TrainBackend {
  readonly #process: PythonProcess<TrainerEvent>;
  readonly #listeners = new Set<(state: ProcessState) => void>();
  #running: Running | null = null;

  constructor({ python, module, args, log }: PythonBackendOptions) {
    this.#process = new PythonProcess({
      name: 'trainer',
      python,
      module,
      args,
      event: TrainerEvent,
      unavailable: 'trainer_unavailable',
      niceness: LOWEST_PRIORITY,
      log,
      onEvent: (event) => this.#onEvent(event),
      onExit: (error) => this.#running?.reject(error),
    });
    this.#process.onStateChange(() => this.#changed());
  }

  start(): void {
    this.#process.start();
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** The Python process while it lives. */
  pid(): number | null {
    return this.#process.pid();
  }

  state(): ProcessState {
    const state = this.#process.state();
    return this.#running && state.state === 'ready' ? { ...state, state: 'busy' } : state;
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(job: TrainJob, onProgress: OnProgress, signal: AbortSignal): Promise<TrainMetrics> {
    await this.#process.whenReady(signal);
    const id = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<TrainMetrics>();
    // A cancel is not the end of the run: Python says when it has let go of the job's folder, or is gone.
    const cancel = () => {
      if (this.#process.state().state === 'ready') {
        this.#process.send({ type: 'cancel', id } satisfies TrainerCommand);
      }
    };
    const silence = setTimeout(() => this.#hangs(id), SILENCE_LIMIT_MS);
    this.#running = {
      id,
      resolve,
      reject,
      onProgress: (phase, fraction) => {
        silence.refresh();
        onProgress(phase, fraction);
      },
    };
    try {
      this.#process.send({
        type: 'train',
        id,
        batch: job.batchFolder,
        parent: job.parentFolder,
        optimizer_in: job.optimizerFile,
        out: job.out,
        optimizer_out: job.optimizerOut,
      } satisfies TrainerCommand);
      signal.addEventListener('abort', cancel, { once: true });
      this.#changed();
      return await promise;
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', cancel);
      this.#running = null;
      this.#changed();
    }
  }

  #onEvent(event: TrainerEvent): void {
    const running = this.#running;
    if (event.type === 'ready' || event.id !== running?.id) return;
    switch (event.type) {
      case 'progress':
        running.onProgress(event.phase, event.fraction);
        break;
      case 'done':
        running.resolve(event.metrics);
        break;
      case 'error':
        running.reject(new ApprenticeError(event.code, event.message, 'See logs/trainer.log.'));
        break;
    }
  }

  #hangs(id: string): void {
    const pid = this.#process.pid();
    if (this.#running?.id !== id || pid === null) return;
    // Its death takes the ordinary way: the run is rejected, the process restarted, the job run again.
    process.kill(pid, 'SIGKILL');
  }

  #changed(): void {
    const state = this.state();
    for (const listener of [...this.#listeners]) listener(state);
  }
}
