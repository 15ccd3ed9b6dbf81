/**
 * Where each span of a correction stands, found from what the store holds: a trace is a turn, a span one of its phases.
 * Ids are hashes, so that a batch knows the spans of its samples, and a gate that of its batch, over any restart; and so
 * that no id of the store leaves this machine.
 */
import { createHash } from 'node:crypto';
import type { BatchId, ObservationId, SampleId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Batch } from '../store/version-types.ts';

/** A span's place: ids as OpenTelemetry wants them, 32 and 16 lower-case hex digits. */
export interface SpanPlace {
  readonly traceId: string;
  readonly spanId: string;
}

/** One chain of a batch: of a correction that it learns from, or its own where it has none (distillation). */
export interface BatchChain {
  /** What the batch's span hangs on. */
  readonly parent: SpanPlace | null;
  readonly batch: SpanPlace;
  readonly train: SpanPlace;
  readonly gate: SpanPlace;
  readonly promote: SpanPlace;
}

type Reads = Pick<
  Store,
  'storeId' | 'nextStates' | 'sample' | 'batchSamples' | 'batchTurns' | 'verdict' | 'version' | 'batch'
>;

export class SpanNames {
  readonly #store: Reads;
  readonly #secret: string;

  constructor(store: Reads) {
    this.#store = store;
    this.#secret = store.storeId();
  }

  observation(turnId: TurnId, observationId: ObservationId): SpanPlace {
    return this.#of(turnId, 'observation', observationId);
  }

  /** A turn that is judged again has another span. */
  judge(turnId: TurnId, decidedAtMs: number): SpanPlace {
    return this.#of(turnId, 'judge', String(decidedAtMs));
  }

  sample(turnId: TurnId, sampleId: SampleId): SpanPlace {
    return this.#of(turnId, 'sample', sampleId);
  }

  /** A chain for each new sample of the batch; for a distillation, one of its own. */
  chains(batchId: BatchId): BatchChain[] {
    const parents = this.#samples(batchId, 'new');
    return parents.length > 0
      ? parents.map((parent) => this.#chain(batchId, parent))
      : [this.#chain(batchId, null)];
  }

  /** What the batch learns from besides: its other samples; of a distillation, the judging of its turns. */
  sources(batchId: BatchId): SpanPlace[] {
    const samples = [...this.#samples(batchId, 'new'), ...this.#samples(batchId, 'replay')];
    const turns = this.#store.batchTurns(batchId).flatMap(({ turnId }) => {
      const verdict = this.#store.verdict(turnId);
      return verdict ? [this.judge(turnId, verdict.decidedAtMs)] : [];
    });
    return [...samples, ...turns];
  }

  batchOf(version: WeightVersion): Batch | undefined {
    const batchId = this.#store.version(version)?.batchId;
    return batchId ? this.#store.batch(batchId) : undefined;
  }

  #samples(batchId: BatchId, wanted: 'new' | 'replay'): SpanPlace[] {
    return this.#store.batchSamples(batchId).flatMap(({ sampleId, origin }) => {
      // Deleted meanwhile: then there is nothing to tell of it.
      const turnId = origin === wanted ? this.#store.sample(sampleId)?.turnId : undefined;
      return turnId === undefined ? [] : [this.sample(turnId, sampleId)];
    });
  }

  #chain(batchId: BatchId, parent: SpanPlace | null): BatchChain {
    const traceId = parent?.traceId ?? this.#hash(batchId).slice(0, 32);
    const at = (phase: string): SpanPlace => ({
      traceId,
      spanId: this.#hash(traceId, phase, batchId).slice(0, 16),
    });
    return { parent, batch: at('batch'), train: at('train'), gate: at('gate'), promote: at('promote') };
  }

  #of(turnId: TurnId, phase: string, name: string): SpanPlace {
    const traceId = this.#hash(turnId).slice(0, 32);
    return { traceId, spanId: this.#hash(traceId, phase, name).slice(0, 16) };
  }

  #hash(...parts: string[]): string {
    return createHash('sha256')
      .update([this.#secret, ...parts].join(' '))
      .digest('hex');
  }
}
