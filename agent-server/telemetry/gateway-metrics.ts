/** Requests and turns as Prometheus counts them: how many, how long to the first token, how many tokens. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { TakenFor } from '../protocol/gateway.ts';

/** One turn, however it ended. */
export interface EndedTurn {
  takenFor: TakenFor;
  /** Why it ended: OpenAI's reasons, or the code of an error. */
  outcome: string;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  seconds: number;
  /** Null: no token came. */
  secondsToFirstToken: number | null;
}

/** Paths that the gateway answers; whatever else is asked for is one label, not a thousand. */
const ROUTES: ReadonlySet<string> = new Set([
  '/health',
  '/metrics',
  '/v1/models',
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/count_tokens',
]);
const BUCKETS_S = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300];

export class GatewayMetrics {
  readonly #requests;
  readonly #turns;
  readonly #firstToken;
  readonly #seconds;
  readonly #tokens;
  readonly #linkConnections;
  readonly #linkBytes;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'apprentice_http_requests_total',
      help: 'Requests that the gateway answered, by route and status.',
      labelNames: ['route', 'status'],
      registers,
    });
    this.#turns = new Counter({
      name: 'apprentice_turns_total',
      help: 'Turns that ended, by what they were taken for and how they ended.',
      labelNames: ['taken_for', 'outcome'],
      registers,
    });
    this.#firstToken = new Histogram({
      name: 'apprentice_time_to_first_token_seconds',
      help: 'From the request to its first token, waiting included.',
      buckets: BUCKETS_S,
      registers,
    });
    this.#seconds = new Histogram({
      name: 'apprentice_turn_seconds',
      help: 'From the request to its end.',
      buckets: BUCKETS_S,
      registers,
    });
    this.#tokens = new Counter({
      name: 'apprentice_tokens_total',
      help: 'Tokens of turns that ended: prompt, cached among those, completion.',
      labelNames: ['of'],
      registers,
    });
    this.#linkConnections = new Counter({
      name: 'apprentice_link_connections_total',
      help: 'Connections to the gpu-worker that it welcomed; those after the first are reconnects.',
      registers,
    });
    this.#linkBytes = new Counter({
      name: 'apprentice_link_bytes_total',
      help: 'Bytes of messages over the link to the gpu-worker.',
      labelNames: ['direction'],
      registers,
    });
  }

  answered(path: string, status: number): void {
    this.#requests.inc({ route: ROUTES.has(path) ? path : 'other', status: String(status) });
  }

  turn(ended: EndedTurn): void {
    this.#turns.inc({ taken_for: ended.takenFor, outcome: ended.outcome });
    this.#seconds.observe(ended.seconds);
    if (ended.secondsToFirstToken !== null) this.#firstToken.observe(ended.secondsToFirstToken);
    this.#tokens.inc({ of: 'prompt' }, ended.promptTokens);
    this.#tokens.inc({ of: 'cached' }, ended.cachedTokens);
    this.#tokens.inc({ of: 'completion' }, ended.completionTokens);
  }

  linked(): void {
    this.#linkConnections.inc();
  }

  traffic(direction: 'sent' | 'received', bytes: number): void {
    this.#linkBytes.inc({ direction }, bytes);
  }
}
