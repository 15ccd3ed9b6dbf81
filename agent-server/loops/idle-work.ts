/** Several kinds of idle work as one: the first that has something, and nothing while the user is at work. */
import type { Store } from '../store/store.ts';
import type { IdleWork } from './train-items.ts';

/**
 * `sources` in order of precedence. Any change of a turn (asked, answered, judged) puts everything off by
 * `idleAfterMs`: the engine is then the user's.
 */
export function whenIdle(
  sources: readonly IdleWork[],
  store: Pick<Store, 'onChange'>,
  options: { idleAfterMs: number; nowMs: () => number },
): IdleWork & { close(): void } {
  let activeAtMs = options.nowMs();
  let dueMs: number | undefined;
  const close = store.onChange((what) => {
    if (what === 'turns') activeAtMs = options.nowMs();
  });
  return {
    close,
    next: (nowMs) => {
      const idleAtMs = activeAtMs + options.idleAfterMs;
      if (nowMs < idleAtMs) {
        dueMs = idleAtMs;
        return undefined;
      }
      for (const source of sources) {
        const task = source.next(nowMs);
        if (task) return task;
      }
      const dues = sources.flatMap((source) => source.nextDueMs() ?? []);
      dueMs = dues.length > 0 ? Math.min(...dues) : undefined;
      return undefined;
    },
    nextDueMs: () => dueMs,
  };
}
