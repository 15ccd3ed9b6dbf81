/**
 * When each phase of a correction began and ended. Beginnings are kept in memory while they wait for their end, a
 * bounded number of them; after a restart the store's own times stand in, which are earlier and never later.
 */
import type { BatchId, TurnId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { LearningEvent } from './learning-events.ts';

/** Epoch milliseconds; `beganMs` <= `endedMs`, also when the clock was put back in between. */
export interface Times {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Turns whose placing is remembered until they are judged; as many as observations may wait (STORE-1). */
const MAX_TURNS = 10_000;

export class Phases {
  readonly #store: Pick<Store, 'batch' | 'version' | 'nextStates'>;
  readonly #placedMs = new Map<TurnId, number>();
  /** Of the batch under way: there is one at a time. */
  #batch: {
    batchId: BatchId;
    begunMs: number;
    builtMs: number;
    submittedMs: number;
    trainedMs: number;
  } | null = null;

  constructor(store: Pick<Store, 'batch' | 'version' | 'nextStates'>) {
    this.#store = store;
  }

  /** Of the phase that the event ends. Events come in their order, each once. */
  of(event: LearningEvent, nowMs: number): Times {
    return times(this.#began(event, nowMs), nowMs);
  }

  #began(event: LearningEvent, nowMs: number): number {
    switch (event.kind) {
      case 'placed':
        // The last one counts: it is what the judge then reads.
        this.#placedMs.delete(event.turnId);
        this.#placedMs.set(event.turnId, nowMs);
        if (this.#placedMs.size > MAX_TURNS) this.#placedMs.delete(first(this.#placedMs));
        return event.observedAtMs;
      case 'judged': {
        const { turnId } = event.verdict;
        const placedMs = this.#placedMs.get(turnId);
        this.#placedMs.delete(turnId);
        return placedMs ?? this.#store.nextStates(turnId).at(-1)?.observedAtMs ?? nowMs;
      }
      case 'batch_begun':
        this.#batch = {
          batchId: event.batchId,
          begunMs: nowMs,
          builtMs: nowMs,
          submittedMs: 0,
          trainedMs: nowMs,
        };
        return nowMs;
      case 'batch_built': {
        const batch = this.#open(event.batchId, nowMs);
        batch.builtMs = nowMs;
        return batch.begunMs;
      }
      case 'batch_submitted': {
        const batch = this.#open(event.batchId, nowMs);
        // Submitted again after an outage: the wait belongs to its training.
        if (batch.submittedMs === 0) batch.submittedMs = nowMs;
        return batch.builtMs;
      }
      case 'batch_trained':
      case 'batch_failed': {
        const batch = this.#open(event.batchId, nowMs);
        batch.trainedMs = nowMs;
        return batch.submittedMs || batch.builtMs;
      }
      case 'decided': {
        const trained = this.#batch;
        const batchId = this.#store.version(event.version)?.batchId;
        if (trained !== null && trained.batchId === batchId) return trained.trainedMs;
        return nowMs - (event.figures?.seconds ?? 0) * 1000;
      }
      default:
        return nowMs;
    }
  }

  #open(batchId: BatchId, nowMs: number) {
    if (this.#batch?.batchId !== batchId) {
      const begunMs = this.#store.batch(batchId)?.createdAtMs ?? nowMs;
      this.#batch = { batchId, begunMs, builtMs: begunMs, submittedMs: 0, trainedMs: nowMs };
    }
    return this.#batch;
  }
}

function times(beganMs: number, endedMs: number): Times {
  return { beganMs: Math.min(beganMs, endedMs), endedMs };
}

function first<K>(map: ReadonlyMap<K, unknown>): K {
  const { value, done } = map.keys().next();
  if (done) throw new Error('unreachable: the map was just added to');
  return value;
}
