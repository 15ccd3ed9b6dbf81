/**
 * A gpu-worker's metrics, joined: engine, trainer, link and the processes behind them, as one text in Prometheus'
 * format. Loaded only where they are on. Labels are words of ours and the base model's name; no id or text is among them.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { ProcessState } from '../agent-server/protocol/link.ts';
import { EngineMetrics, type MeasuredEngine } from './engine/metrics.ts';
import type { WeightPauses } from './engine/weight-pauses.ts';
import { LinkMetrics } from './link/metrics.ts';
import { TrainerMetrics } from './trainer/metrics.ts';

interface Process {
  state(): ProcessState;
}

export class WorkerMetrics {
  readonly engine: EngineMetrics;
  readonly trainer: TrainerMetrics;
  readonly link: LinkMetrics;

  /** `pauses`: of an engine whose versions are all weights, else null. */
  constructor(engine: MeasuredEngine & Process, trainer: Process, pauses: WeightPauses | null) {
    const registry = new Registry();
    if (pauses !== null) tellPauses(pauses, registry);
    this.engine = new EngineMetrics(engine, registry);
    this.trainer = new TrainerMetrics(registry);
    this.link = new LinkMetrics(registry);
    const each = Object.entries({ engine, trainer });
    const ready: Gauge<string> = new Gauge({
      name: 'apprentice_worker_process_ready',
      help: 'Processes that can be used: 1.',
      labelNames: ['process'],
      registers: [registry],
      collect: () => {
        for (const [process, of] of each)
          ready.set({ process }, Number(['ready', 'busy'].includes(of.state().state)));
      },
    });
    const restarts: Counter<string> = new Counter({
      name: 'apprentice_worker_process_restarts_total',
      help: 'How often each process was started again.',
      labelNames: ['process'],
      registers: [registry],
      collect: () => {
        restarts.reset();
        for (const [process, of] of each) restarts.inc({ process }, of.state().restarts);
      },
    });
  }
}

/** Read off at each scrape. */
function tellPauses(pauses: WeightPauses, registry: Registry): void {
  const registers = [registry];
  const name = (what: string) => `apprentice_engine_weight_${what}`;
  const counter = (what: string, help: string, read: () => number): void => {
    const made: Counter = new Counter({
      name: name(what),
      help,
      registers,
      collect: () => {
        made.reset();
        made.inc(read());
      },
    });
  };
  counter('changes_total', 'How often the engine took other weights.', () => pauses.count);
  counter('pause_seconds_total', 'How long requests waited for it, in all.', () => pauses.seconds);
  const last: Gauge = new Gauge({
    name: name('pause_seconds'),
    help: 'How long requests waited for it the last time.',
    registers,
    collect: () => last.set(pauses.lastSeconds ?? Number.NaN),
  });
}
