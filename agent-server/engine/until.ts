/** Waiting for somebody else's promise, no longer than a signal allows; the promise itself goes on. */

/** The promise's value, or the error of `reason` once the signal aborts. */
export async function until<T>(promise: Promise<T>, signal: AbortSignal, reason: () => Error): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(reason());
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
