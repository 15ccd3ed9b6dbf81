/**
 * Counters of the engine for Prometheus, under the names, labels and buckets that SGLang gives them where it has the same
 * (sglang 0.5.23, `srt/observability/metrics_collector.py`), so that one dashboard reads both.
 */
import { basename } from 'node:path';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { TokenEngine } from './token-engine.ts';

/** What is asked of the engine at each scrape; of the model's folder the name alone is told. */
export type MeasuredEngine = Pick<TokenEngine, 'model' | 'running' | 'inFlight'>;

/** One request, when it has ended. */
export interface EndedRequest {
  streamed: boolean;
  aborted: boolean;
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  seconds: number;
  /** Null: none came. */
  secondsToFirstToken: number | null;
}

const FIRST_TOKEN_BUCKETS_S = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400];
const REQUEST_BUCKETS_S = [...FIRST_TOKEN_BUCKETS_S, 600, 1200, 1800, 2400];

export class EngineMetrics {
  readonly #registry: Registry;
  readonly #model: string;
  readonly #requests;
  readonly #aborted;
  readonly #promptTokens;
  readonly #cachedTokens;
  readonly #generatedTokens;
  readonly #firstToken;
  readonly #seconds;

  /** `registry`: where they are told with others; without it, alone. */
  constructor(engine: MeasuredEngine, registry: Registry = new Registry()) {
    this.#registry = registry;
    this.#model = basename(engine.model);
    const counter = (name: string, help: string, labels: string[] = []): Counter =>
      new Counter(this.#shape(name, help, labels));
    this.#requests = counter('num_requests_total', 'Requests that ended.', ['is_streaming']);
    this.#aborted = counter('num_aborted_requests_total', 'Requests that were given up.');
    this.#promptTokens = counter('prompt_tokens_total', 'Prompt tokens of requests that ended.', [
      'is_streaming',
    ]);
    this.#generatedTokens = counter('generation_tokens_total', 'Tokens generated.', ['is_streaming']);
    this.#cachedTokens = counter('cached_tokens_total', 'Prompt tokens that came from the cache.', [
      'cache_source',
    ]);
    this.#firstToken = new Histogram({
      ...this.#shape('time_to_first_token_seconds', 'From the request to its first token.', ['is_streaming']),
      buckets: FIRST_TOKEN_BUCKETS_S,
    });
    this.#seconds = new Histogram({
      ...this.#shape('e2e_request_latency_seconds', 'From the request to its end.', ['is_streaming']),
      buckets: REQUEST_BUCKETS_S,
    });
    this.#gauge('num_running_reqs', 'Requests being computed.', () => engine.running);
    this.#gauge('num_queue_reqs', 'Requests waiting for a place.', () => engine.inFlight - engine.running);
  }

  /** Called once a request, when it ends. */
  record(ended: EndedRequest): void {
    const model_name = this.#model;
    const labels = { model_name, is_streaming: String(ended.streamed) };
    this.#requests.inc(labels);
    if (ended.aborted) this.#aborted.inc({ model_name });
    this.#promptTokens.inc(labels, ended.promptTokens);
    this.#generatedTokens.inc(labels, ended.generatedTokens);
    this.#cachedTokens.inc({ model_name, cache_source: 'total' }, ended.cachedTokens);
    this.#seconds.observe(labels, ended.seconds);
    if (ended.secondsToFirstToken !== null) this.#firstToken.observe(labels, ended.secondsToFirstToken);
  }

  /** All of the registry, in the exposition format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      ...this.#shape(name, help, []),
      collect: () => gauge.set({ model_name: this.#model }, read()),
    });
  }

  #shape(name: string, help: string, labels: string[]) {
    return {
      name: `sglang:${name}`,
      help,
      labelNames: ['model_name', ...labels],
      registers: [this.#registry],
    };
  }
}
