/**
 * Joins metrics and traces to a running agent-server, as config.json says: off, on, or one of them. What is off is not
 * even loaded.
 */
import type { EngineEndpoint } from '../engine/http-client.ts';
import { TurnRunner, type TurnRunnerOptions } from '../gateway/turn-runner.ts';
import type { Log } from '../log.ts';
import type { WorkerLink, WorkerStatus } from '../loops/worker-link.ts';
import { toApprenticeError } from '../protocol/errors.ts';
import type { LoopStatus } from '../protocol/panel.ts';
import type { Store } from '../store/store.ts';
import { VERSION } from '../version.ts';
import type { TelemetryConfig } from './config.ts';
import { type LearningEvent, tellingStore } from './learning-events.ts';
import { Phases } from './phases.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { Traces } from './traces.ts';

export interface Telemetry {
  /** The store to be used from here on. */
  readonly store: Store;
  /** Null: metrics are off. */
  readonly metrics: ServerMetrics | null;
  turns(options: TurnRunnerOptions): TurnRunner;
  /** What is asked at a scrape. */
  watch(parts: TelemetryParts): void;
  /** Sends what is still to be sent, within a few seconds. */
  close(): Promise<void>;
}

export interface TelemetryParts {
  loops(): readonly LoopStatus[];
  link: Pick<WorkerLink, 'status' | 'onStatus' | 'onTraffic'>;
  /** Null: the worker is on another machine, and is scraped there. */
  localWorker: (() => EngineEndpoint) | null;
}

/** Throws nothing but what loading throws: a receiver that is away is no reason not to serve. */
export async function openTelemetry(
  config: TelemetryConfig,
  opened: Store,
  log: Pick<Log, 'warn'>,
  nowMs: () => number = Date.now,
): Promise<Telemetry> {
  const parts: { loops: () => readonly LoopStatus[]; worker: () => WorkerStatus } = {
    loops: () => [],
    worker: () => ({ connected: false, error: null }),
  };
  const metrics = config.metrics
    ? new (await import('./server-metrics.ts')).ServerMetrics({
        store: opened,
        loops: () => parts.loops(),
        worker: () => parts.worker(),
      })
    : null;
  const traces =
    config.traces === null
      ? null
      : new (await import('./traces.ts')).Traces({
          endpoint: config.traces.endpoint,
          version: VERSION,
          store: opened,
          log,
        });
  return {
    store: metrics === null && traces === null ? opened : heard(opened, { metrics, traces, log, nowMs }),
    metrics,
    turns: (options) => metrics?.turns(options) ?? new TurnRunner(options),
    watch: ({ loops, link, localWorker }) => {
      if (metrics === null) return;
      parts.loops = loops;
      parts.worker = () => link.status;
      let connected = false;
      link.onStatus((status) => {
        if (status.connected && !connected) metrics.gateway.linked();
        connected = status.connected;
      });
      link.onTraffic((direction, bytes) => metrics.gateway.traffic(direction, bytes));
      if (localWorker !== null) metrics.withWorker(localWorker);
    },
    close: async () => traces?.close(),
  };
}

/** Who listens must not be able to undo what has been written. */
function heard(
  opened: Store,
  {
    metrics,
    traces,
    log,
    nowMs,
  }: { metrics: ServerMetrics | null; traces: Traces | null; log: Pick<Log, 'warn'>; nowMs: () => number },
): Store {
  const phases = new Phases(opened);
  const hear = (event: LearningEvent): void => {
    try {
      const times = phases.of(event, nowMs());
      metrics?.learning.count(event, times);
      traces?.record(event, times);
    } catch (thrown) {
      log.warn(`Telemetry of ${event.kind}: ${toApprenticeError(thrown).message}`);
    }
  };
  return tellingStore(opened, hear);
}
