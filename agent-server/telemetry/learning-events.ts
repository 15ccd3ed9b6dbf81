/**
 * What happens to a correction, told as it is written to the store: a store that does all that the real one does and
 * says so. Metrics and traces hear the same events; nothing else of the agent-server knows of them. Times of their
 * phases are phases.ts.
 */
import type { BatchId, ObservationId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { NextStateKind, Observation } from '../protocol/observations.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { TrainMetrics } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { ClosedReason, Sample, Verdict } from '../store/types.ts';
import type { BatchKind } from '../store/version-types.ts';

export type LearningEvent =
  | { kind: 'observed'; of: Observation['kind'] }
  | {
      kind: 'placed';
      observationId: ObservationId;
      turnId: TurnId;
      of: NextStateKind;
      observedAtMs: number;
    }
  | { kind: 'set_aside'; as: 'unmatched' | 'ignored' }
  | { kind: 'closed'; reason: ClosedReason }
  /** `sample`: as it was made; the store may have kept an earlier one that says the same. */
  | { kind: 'judged'; verdict: Verdict; sample: Sample | null }
  | { kind: 'batch_begun'; batchId: BatchId; of: BatchKind; newSamples: number; replaySamples: number }
  | { kind: 'batch_built'; batchId: BatchId }
  | { kind: 'batch_submitted'; batchId: BatchId }
  | { kind: 'batch_trained'; batchId: BatchId; metrics: TrainMetrics }
  | { kind: 'batch_failed'; batchId: BatchId }
  | {
      kind: 'decided';
      version: WeightVersion;
      outcome: 'promoted' | 'rejected';
      figures: GateFigures | null;
    }
  /** The pointer moved without a new version. */
  | { kind: 'moved'; how: 'rolled_back' | 'fell_back' | 'forgot' };

/**
 * `tell` is called after the change is durable, in the writer's call: it must be quick and not throw. What is undone
 * with its transaction is not told.
 */
export function tellingStore(store: Store, tell: (event: LearningEvent) => void): Store {
  /** Those of the transaction under way. */
  let held: LearningEvent[] | null = null;
  const say = (event: LearningEvent): void => {
    if (held === null) tell(event);
    else held.push(event);
  };
  return {
    ...store,
    together: (work) => {
      if (held !== null) return store.together(work);
      held = [];
      let events: LearningEvent[] = [];
      try {
        const result = store.together(work);
        events = held;
        return result;
      } finally {
        held = null;
        for (const event of events) tell(event);
      }
    },
    addObservation: (observation, receivedAtMs) => {
      const outcome = store.addObservation(observation, receivedAtMs);
      if (outcome === 'added') say({ kind: 'observed', of: observation.kind });
      return outcome;
    },
    attach: (observationId, turnId, of, observedAtMs, judgeDueAtMs) => {
      store.attach(observationId, turnId, of, observedAtMs, judgeDueAtMs);
      say({ kind: 'placed', observationId, turnId, of, observedAtMs });
    },
    setAside: (observationId, as, note) => {
      store.setAside(observationId, as, note);
      say({ kind: 'set_aside', as });
    },
    closeTurn: (observationId, turnId, reason) => {
      store.closeTurn(observationId, turnId, reason);
      say({ kind: 'closed', reason });
    },
    recordVerdict: (verdict, sample, hints) => {
      store.recordVerdict(verdict, sample, hints);
      say({ kind: 'judged', verdict, sample });
    },
    beginBatch: (batch) => {
      store.beginBatch(batch);
      const { batchId, kind: of, newSamples, replaySamples } = batch;
      say({
        kind: 'batch_begun',
        batchId,
        of,
        newSamples: newSamples.length,
        replaySamples: replaySamples.length,
      });
    },
    setManifest: (batchId, manifest, advantages) => {
      store.setManifest(batchId, manifest, advantages);
      say({ kind: 'batch_built', batchId });
    },
    submitBatch: (batchId) => {
      const batch = store.submitBatch(batchId);
      say({ kind: 'batch_submitted', batchId });
      return batch;
    },
    completeBatch: (batchId, made) => {
      store.completeBatch(batchId, made);
      say({ kind: 'batch_trained', batchId, metrics: made.metrics });
    },
    failBatch: (batchId, error) => {
      store.failBatch(batchId, error);
      say({ kind: 'batch_failed', batchId });
    },
    promote: (version, reason, atMs, figures) => {
      store.promote(version, reason, atMs, figures);
      say({ kind: 'decided', version, outcome: 'promoted', figures: figures ?? null });
    },
    rejectVersion: (version, reason, atMs, figures) => {
      store.rejectVersion(version, reason, atMs, figures);
      say({ kind: 'decided', version, outcome: 'rejected', figures: figures ?? null });
    },
    goBack: (version, reason, atMs) => {
      store.goBack(version, reason, atMs);
      say({ kind: 'moved', how: 'rolled_back' });
    },
    fallBack: (lost, fate, reason, atMs) => {
      const serving = store.fallBack(lost, fate, reason, atMs);
      say({ kind: 'moved', how: 'fell_back' });
      return serving;
    },
    forget: (clean, atMs) => {
      const forgotten = store.forget(clean, atMs);
      say({ kind: 'moved', how: 'forgot' });
      return forgotten;
    },
  };
}
