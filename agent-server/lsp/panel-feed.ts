/** Sends snapshots to whoever subscribed: at the first change, then at most four a second, the last never left out. */
import { toApprenticeError } from '../protocol/errors.ts';
import type { PanelSnapshot } from '../protocol/panel.ts';

const MIN_INTERVAL_MS = 250;

export interface PanelFeed {
  /** Something that a snapshot shows may have changed. Returns at once. */
  changed(): void;
  subscribe(listener: (snapshot: PanelSnapshot) => void): () => void;
  close(): void;
}

export function createPanelFeed(
  snapshot: () => PanelSnapshot,
  onError: (error: Error) => void,
  intervalMs: number = MIN_INTERVAL_MS,
): PanelFeed {
  const listeners = new Set<(snapshot: PanelSnapshot) => void>();
  let timer: NodeJS.Timeout | undefined;
  let stale = false;

  const send = (): void => {
    timer = undefined;
    if (!stale || listeners.size === 0) return;
    stale = false;
    timer = setTimeout(send, intervalMs);
    try {
      const latest = snapshot();
      for (const listener of listeners) listener(latest);
    } catch (error) {
      // A snapshot that cannot be made must not end the server; the next change tries again.
      onError(toApprenticeError(error));
    }
  };
  return {
    changed: () => {
      stale = true;
      // Not in the writer's call: the snapshot reads the store that is just telling of its change.
      timer ??= setTimeout(send, 0);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      clearTimeout(timer);
      listeners.clear();
    },
  };
}
