/** Waiting for the user: as long as they like within reason, and not after they have stopped the chat. */

/** Nobody answers any more. */
export const USER_LIMIT_MS = 30 * 60_000;

/** What `promise` gives; null after `limitMs`. Rejects as `promise` does, and when `signal` aborts. */
export async function withinLimit<T>(
  promise: PromiseLike<T>,
  signal: AbortSignal,
  limitMs: number = USER_LIMIT_MS,
): Promise<T | null> {
  signal.throwIfAborted();
  const { promise: ended, resolve, reject } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), limitMs);
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
