/**
 * HTTP to the engine: key, time limits, JSON parsed by a schema, and every way it can fail as an ApprenticeError.
 * What the calls mean is left to http-engine.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { LoraUpdateResponse } from '../protocol/engine.ts';
import { ApprenticeError, ErrorBody, ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import { request } from './request.ts';

export interface EngineEndpoint {
  /** Origin without a slash at the end: `http://127.0.0.1:30000`. */
  url: string;
  key: string;
  /** Of an `https` worker that was paired with; without it the system's authorities decide. */
  certificate?: PairedCertificate;
}

export interface PairedCertificate {
  pem: string;
  /** Hex, over its DER. */
  sha256: string;
}

export interface EngineLimits {
  /** Longest silence of a stream, the wait in the engine's queue included. */
  idleMs: number;
  /** Longest wait for an answer that is not streamed. */
  requestMs: number;
  healthMs: number;
}

const DEFAULT_LIMITS: EngineLimits = { idleMs: 120_000, requestMs: 120_000, healthMs: 2_000 };
const RETRY_MS = 100;

export class EngineHttp {
  readonly limits: EngineLimits;
  readonly #endpoint: () => EngineEndpoint;

  /** `endpoint` is asked before every call, as a restarted worker has another port; it throws when there is none. */
  constructor(endpoint: () => EngineEndpoint, limits: Partial<EngineLimits>) {
    this.#endpoint = endpoint;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** One answer, parsed. `attempts` above 1 only for calls that change nothing when repeated. */
  async json<T>(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    signal: AbortSignal,
    attempts: number,
  ): Promise<T> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.limits.requestMs)]);
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.fetch(method, path, body, limited);
        const parsed = schema.safeParse(await response.json());
        if (parsed.success) return parsed.data;
        throw unexpected(path, z.prettifyError(parsed.error));
      } catch (thrown) {
        const error = transportError(thrown, signal, `${path} took over ${this.limits.requestMs} ms`);
        if (error.code !== 'engine_unavailable' || attempt >= attempts) throw error;
        await delay(RETRY_MS * attempt, undefined, { signal: limited }).catch(() => {
          throw error;
        });
      }
    }
  }

  /** A response with a good status; any other is thrown as the error that its body names. */
  async fetch(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const endpoint = this.#endpoint();
    const headers: Record<string, string> = { authorization: `Bearer ${endpoint.key}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const text = body === undefined ? null : JSON.stringify(body);
    const response = await request(endpoint, { method, path, headers, body: text, signal });
    if (response.ok) return response;
    throw refused(path, response.status, await response.text());
  }
}

export function unexpected(path: string, what: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'internal',
    `The engine's ${path} answered ${what}.`,
    'See logs/gpu-worker.log.',
    { cause },
  );
}

function refused(path: string, status: number, text: string): ApprenticeError {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not the engine's own shape: a proxy's page; its status is all that can be told.
    json = undefined;
  }
  const body = ErrorBody.safeParse(json);
  if (body.success) return namedError(body.data, status, path);
  const lora = LoraUpdateResponse.safeParse(json);
  if (lora.success)
    return new ApprenticeError(
      'adapter_invalid',
      `${path}: ${lora.data.error_message ?? `status ${status}`}.`,
      'See logs/gpu-worker.log.',
    );
  return new ApprenticeError(
    status >= 500 ? 'engine_unavailable' : 'internal',
    `The engine's ${path} answered status ${status}.`,
    'See logs/gpu-worker.log.',
  );
}

export function namedError(body: ErrorBody, status: number, path: string): ApprenticeError {
  const code = ErrorCode.safeParse(body.error.code);
  const fallback = status >= 500 ? 'engine_unavailable' : 'internal';
  return new ApprenticeError(
    code.success ? code.data : fallback,
    `Engine, ${path}: ${body.error.message}`,
    '',
  );
}

/** What fetch throws, told apart: the caller's abort, our time limit, an engine that is away. */
export function transportError(thrown: unknown, signal: AbortSignal, late: string): ApprenticeError {
  if (thrown instanceof ApprenticeError) return thrown;
  if (signal.aborted) {
    if (signal.reason instanceof ApprenticeError) return signal.reason;
    return new ApprenticeError('aborted', 'The request was cancelled.', '', { cause: thrown });
  }
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError')
    return new ApprenticeError('timeout', `${late}.`, 'See logs/engine.log.', { cause: thrown });
  return new ApprenticeError(
    'engine_unavailable',
    `The engine cannot be reached: ${toApprenticeError(thrown).message}.`,
    'It is restarted; try again shortly.',
    { cause: thrown },
  );
}
