/** Asks again, with growing pauses, while what answers is being restarted; gives up on what no retry mends. */
import { setTimeout as delay } from 'node:timers/promises';
import { BackOff } from '../../protocol/back-off.ts';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../../protocol/errors.ts';

/** The request itself is at fault: the same again would fail the same. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'unauthorized',
  'forbidden_host',
  'forbidden_origin',
  'body_too_large',
  'invalid_json',
  'invalid_request',
  'not_found',
  'context_length_exceeded',
  'consent_required',
  'base_model_mismatch',
  'setup_failed',
]);

export interface PersistOptions {
  what: string;
  limitMs: number;
  onRetry: (error: ApprenticeError) => void;
}

/**
 * The first result of `attempt` that is no passing failure. Throws the last error when the request is at fault
 * or the limit is over, and `aborted` when the signal fires.
 */
export async function persist<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  { what, limitMs, onRetry }: PersistOptions,
  signal: AbortSignal,
): Promise<T> {
  const backOff = new BackOff();
  const startedAtMs = performance.now();
  for (;;) {
    try {
      return await attempt(signal);
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      if (signal.aborted) throw new ApprenticeError('aborted', `${what}: cancelled.`, 'Start again.');
      if (FINAL.has(error.code)) throw error;
      if (performance.now() - startedAtMs > limitMs) {
        throw new ApprenticeError(
          error.code,
          `${what} failed for ${Math.round(limitMs / 1000)} s; at last: ${error.message}`,
          error.remedy,
          { cause: error },
        );
      }
      onRetry(error);
      await delay(backOff.delayMs(0), undefined, { signal }).catch(() => undefined);
    }
  }
}
