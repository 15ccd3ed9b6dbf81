/** Sends spans by OTLP over HTTP, and says in the log when that begins to fail, once until it has worked again. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Log } from '../log.ts';

/** A receiver that hangs holds up nothing but its own spans. */
export const SEND_LIMIT_MS = 5_000;

export class SayingExporter implements SpanExporter {
  readonly #endpoint: string;
  readonly #exporter: OTLPTraceExporter;
  readonly #log: Pick<Log, 'warn'>;
  #failing = false;

  constructor(endpoint: string, log: Pick<Log, 'warn'>) {
    this.#endpoint = endpoint;
    this.#exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: SEND_LIMIT_MS });
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(spans, (result) => {
      if (result.error !== undefined && !this.#failing)
        this.#log.warn(
          `Traces are not taken at ${this.#endpoint} (${reason(result.error)}); what is not taken is dropped.`,
        );
      this.#failing = result.error !== undefined;
      done(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

function reason(error: Error): string {
  const code = 'code' in error && error.code !== undefined ? String(error.code) : '';
  return error.message || code || error.name;
}
