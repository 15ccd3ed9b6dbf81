/** The agent-server's metrics as one text in Prometheus' format, with those of the worker on this machine behind them. */
import { Registry } from 'prom-client';
import type { EngineEndpoint } from '../engine/http-client.ts';
import type { TurnRunner, TurnRunnerOptions } from '../gateway/turn-runner.ts';
import { CountedTurns } from './counted-turns.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { LearningMetrics, type Observed } from './learning-metrics.ts';

/** A scrape that waits for a worker that hangs would be given up itself (10 s by default). */
const WORKER_LIMIT_MS = 2_000;

export class ServerMetrics {
  readonly learning: LearningMetrics;
  readonly gateway: GatewayMetrics;
  readonly #registry = new Registry();
  #worker: (() => EngineEndpoint) | null = null;

  constructor(observed: Observed) {
    this.learning = new LearningMetrics(this.#registry, observed);
    this.gateway = new GatewayMetrics(this.#registry);
  }

  turns(options: TurnRunnerOptions): TurnRunner {
    return new CountedTurns(options, this.gateway);
  }

  /** A worker on this machine has a port and a key that nobody else knows: its metrics are told with these. */
  withWorker(endpoint: () => EngineEndpoint): void {
    this.#worker = endpoint;
  }

  answered(path: string, status: number): void {
    this.gateway.answered(path, status);
  }

  /** The exposition, version 0.0.4. */
  async text(): Promise<string> {
    return `${await this.#registry.metrics()}${await this.#workerText()}`;
  }

  /** Empty while the worker starts, is away or hangs: `apprentice_worker_ready` says so. */
  async #workerText(): Promise<string> {
    try {
      if (this.#worker === null) return '';
      const { url, key } = this.#worker();
      const answer = await fetch(`${url}/metrics`, {
        headers: { authorization: `Bearer ${key}` },
        signal: AbortSignal.timeout(WORKER_LIMIT_MS),
      });
      return answer.ok ? await answer.text() : '';
    } catch {
      return '';
    }
  }
}
