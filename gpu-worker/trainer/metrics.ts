/**
 * The trainer's runs as Prometheus counts them, whatever computes them: a backend that does what the one behind it does,
 * and is counted.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Counter, Gauge, type Registry } from 'prom-client';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { TrainMetrics } from '../../agent-server/protocol/training.ts';
import type { OnProgress, TrainBackend, TrainJob, TrainPhase } from './trainer.ts';

export class TrainerMetrics {
  readonly #runs;
  readonly #steps;
  readonly #tokens;
  readonly #seconds;
  readonly #bytes;
  readonly #latest;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
      new Counter({ name: `apprentice_trainer_${name}`, help, labelNames, registers });
    const gauge = (name: string, help: string): Gauge =>
      new Gauge({ name: `apprentice_trainer_${name}`, help, registers });
    this.#runs = counter('runs_total', 'Runs that ended: trained, or the code of what ended them.', [
      'outcome',
    ]);
    this.#steps = counter('steps_total', 'Optimizer steps of the runs that trained.');
    this.#tokens = counter('tokens_total', 'Tokens of their batches, and those that a loss was taken of.', [
      'of',
    ]);
    this.#seconds = counter('seconds_total', 'Time in each phase of a run.', ['phase']);
    this.#bytes = counter('bytes_total', 'Bytes of batches read, and of adapters and moments written.', [
      'of',
    ]);
    this.#latest = {
      loss: gauge('loss', 'Of the last step.'),
      gradNorm: gauge('gradient_norm', 'Of the last step, before clipping.'),
      logprobFall: gauge('logprob_fall_nats', 'Of the trained tokens in the last run, nats a token.'),
      klToBase: gauge('kl_to_base_nats', 'Of the last run with anchors, nats a token.'),
      tokensPerSecond: gauge('tokens_per_second', 'Of the last run, prompts included.'),
    };
    // Nothing has been measured yet, and 0 would be a measurement.
    for (const gauge of Object.values(this.#latest)) gauge.set(Number.NaN);
  }

  phase(phase: TrainPhase, seconds: number): void {
    this.#seconds.inc({ phase }, seconds);
  }

  ended(outcome: string): void {
    this.#runs.inc({ outcome });
  }

  moved(of: 'batch' | 'adapter' | 'optimizer', bytes: number): void {
    this.#bytes.inc({ of }, bytes);
  }

  trained({
    steps,
    tokens,
    trainedTokens,
    seconds,
    loss,
    gradNorm,
    logprobFall,
    klToBase,
  }: TrainMetrics): void {
    this.#steps.inc(Math.max(1, steps.length));
    this.#tokens.inc({ of: 'batch' }, tokens);
    this.#tokens.inc({ of: 'trained' }, trainedTokens);
    this.#latest.loss.set(loss);
    this.#latest.gradNorm.set(gradNorm);
    this.#latest.logprobFall.set(logprobFall);
    this.#latest.klToBase.set(klToBase ?? Number.NaN);
    if (seconds > 0) this.#latest.tokensPerSecond.set(tokens / seconds);
  }
}

/** `backend`, counted. */
export function measuredBackend(backend: TrainBackend, metrics: TrainerMetrics): TrainBackend {
  return {
    state: () => backend.state(),
    onStateChange: (listener) => backend.onStateChange(listener),
    run: async (job, onProgress, signal) => {
      const clock = new PhaseClock(metrics);
      const told: OnProgress = (phase, fraction) => {
        clock.enter(phase);
        onProgress(phase, fraction);
      };
      try {
        metrics.moved('batch', await bytesIn(job.batchFolder));
        const made = await backend.run(job, told, signal);
        await countMade(job, metrics);
        metrics.trained(made);
        metrics.ended('trained');
        return made;
      } catch (thrown) {
        metrics.ended(toApprenticeError(thrown).code);
        throw thrown;
      } finally {
        clock.end();
      }
    },
  };
}

/** From the first word of a phase to the first word of the next. */
class PhaseClock {
  readonly #metrics: TrainerMetrics;
  #phase: TrainPhase | null = null;
  #sinceMs = 0;

  constructor(metrics: TrainerMetrics) {
    this.#metrics = metrics;
  }

  enter(phase: TrainPhase): void {
    if (phase === this.#phase) return;
    this.end();
    this.#phase = phase;
    this.#sinceMs = performance.now();
  }

  end(): void {
    if (this.#phase !== null) this.#metrics.phase(this.#phase, (performance.now() - this.#sinceMs) / 1000);
    this.#phase = null;
  }
}

async function countMade({ out, optimizerOut }: TrainJob, metrics: TrainerMetrics): Promise<void> {
  metrics.moved('adapter', await bytesIn(out));
  const moments = await bytesIn(optimizerOut);
  metrics.moved('optimizer', moments === 0 ? await bytesOf(optimizerOut) : moments);
}

async function bytesIn(folder: string): Promise<number> {
  // What is no folder holds none, and one that cannot be listed is the backend's to complain of.
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map((name) => bytesOf(join(folder, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function bytesOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
