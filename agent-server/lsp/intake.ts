/**
 * Takes observations in: those that come within the same few milliseconds share a transaction, and each is
 * acknowledged once that is committed. One alone is committed at once. What becomes of them is the loops'.
 */
import type { ApprenticeError } from '../protocol/errors.ts';
import { toApprenticeError } from '../protocol/errors.ts';
import type { Observation } from '../protocol/observations.ts';
import type { Store } from '../store/store.ts';

/** How long an acknowledgement may wait for others to share its transaction. */
const GROUP_MS = 5;

interface Waiting {
  observation: Observation;
  receivedAtMs: number;
  resolve(added: 'added' | 'duplicate'): void;
  reject(error: ApprenticeError): void;
}

/** Resolves once it is durable. Rejects with `queue_full`, `disk_full` or `store_unavailable`: then it is not kept. */
export type Intake = (observation: Observation, receivedAtMs: number) => Promise<'added' | 'duplicate'>;

export function createIntake(store: Pick<Store, 'addObservation' | 'together'>): Intake {
  let waiting: Waiting[] = [];
  let committedAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const commit = (): void => {
    timer = undefined;
    const group = waiting;
    waiting = [];
    try {
      const answers = store.together(() => group.map((one) => added(store, one)));
      for (const answer of answers) answer();
    } catch (thrown) {
      for (const { reject } of group) reject(toApprenticeError(thrown));
    }
    committedAtMs = performance.now();
  };
  return (observation, receivedAtMs) =>
    new Promise((resolve, reject) => {
      waiting.push({ observation, receivedAtMs, resolve, reject });
      if (timer !== undefined) return;
      const waitMs = committedAtMs + GROUP_MS - performance.now();
      if (waitMs <= 0) commit();
      else timer = setTimeout(commit, waitMs);
    });
}

/** What to answer once the group is committed. Throws what undoes the whole group. */
function added(store: Pick<Store, 'addObservation'>, one: Waiting): () => void {
  try {
    const answer = store.addObservation(one.observation, one.receivedAtMs);
    return () => one.resolve(answer);
  } catch (thrown) {
    const error = toApprenticeError(thrown);
    if (error.code !== 'queue_full') throw error;
    return () => one.reject(error);
  }
}
