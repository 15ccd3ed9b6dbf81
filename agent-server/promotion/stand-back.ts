/** Measuring gives way to whoever waits for an answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApprenticeError } from '../protocol/errors.ts';

const LOOK_AGAIN_MS = 50;
/** Longest time to stand back before a single call. */
const LIMIT_MS = 10 * 60_000;

/** Resolves when nobody is waited on. Throws `aborted` after `signal`, `timeout` after ten minutes. */
export async function standBack(busy: () => boolean, signal: AbortSignal): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  while (busy()) {
    await delay(LOOK_AGAIN_MS, undefined, { signal: limited }).catch(() => {
      throw signal.aborted
        ? new ApprenticeError('aborted', 'The comparison was cancelled.', '')
        : new ApprenticeError('timeout', 'The engine was busy for ten minutes.', 'Compare again later.');
    });
  }
}
