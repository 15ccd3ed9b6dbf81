/** The telemetry's settings in config.json. Nothing is measured or sent unless they say so. */
import { z } from 'zod';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Where spans go: what leaves this machine leaves it encrypted, and no password stands in a file that is shared. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
}

export const TelemetryConfig = z.strictObject({
  /** `GET /metrics` of the gateway, and of the worker on this machine, in Prometheus' text format. */
  metrics: z.boolean().default(false),
  /** OTLP over HTTP, the whole address: `http://127.0.0.1:4318/v1/traces`. Null: no traces. */
  traces: z
    .strictObject({
      endpoint: z
        .string()
        .max(2_000)
        .refine(isEndpoint, 'must be https, or http on loopback, without a user name'),
    })
    .nullable()
    .default(null),
});
export type TelemetryConfig = z.infer<typeof TelemetryConfig>;
