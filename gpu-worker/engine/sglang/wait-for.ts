/** Waiting for a promise no longer than a signal allows; what is waited for goes on. */

/** The promise's value, or the signal's reason once that aborts. */
export async function waitFor<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    // Whoever gave up does not hear of a failure that comes later.
    promise.catch(() => undefined);
  }
}
