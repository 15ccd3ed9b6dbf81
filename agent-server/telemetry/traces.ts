/**
 * One trace a correction, over OTLP: observation, judge, sample, batch, train, gate, promote. A span is made when its
 * phase has ended; where it hangs is span-names.ts, when it began phases.ts. Attributes are words and numbers of the
 * protocol: no text, path, name or id of the store is among them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Attributes,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Log } from '../log.ts';
import type { TrainMetrics } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { LearningEvent } from './learning-events.ts';
import type { Times } from './phases.ts';
import { SayingExporter, SEND_LIMIT_MS } from './saying-exporter.ts';
import { type BatchChain, SpanNames, type SpanPlace } from './span-names.ts';

export interface TracesOptions {
  /** Of the receiver, the whole address. */
  endpoint: string;
  /** Of this program. */
  version: string;
  store: Store;
  log: Pick<Log, 'warn'>;
}

const SEND_EVERY_MS = 5_000;
/** Whoever ends the agent-server waits for it. */
const CLOSE_LIMIT_MS = 2_000;
/** Spans that wait for a receiver that is away; later ones are dropped. */
const MAX_WAITING = 2_048;
/** OpenTelemetry's own default: what is over it is dropped by the SDK without a word. */
const MAX_LINKS = 128;

interface Made {
  name: string;
  at: SpanPlace;
  parent: SpanPlace | null;
  times: Times;
  attributes?: Attributes;
  links?: readonly SpanPlace[];
  failed?: boolean;
}

export class Traces {
  readonly #store: Store;
  readonly #names: SpanNames;
  readonly #ids = new ChosenIds();
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor({ endpoint, version, store, log }: TracesOptions) {
    this.#store = store;
    this.#names = new SpanNames(store);
    const exporter = new SayingExporter(endpoint, log);
    this.#provider = new TracerProvider({
      // Nothing of the machine, its user or the command line: only what this program is.
      resource: resourceFromAttributes({ 'service.name': 'apprentice', 'service.version': version }),
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          scheduledDelayMillis: SEND_EVERY_MS,
          exportTimeoutMillis: SEND_LIMIT_MS,
          maxQueueSize: MAX_WAITING,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('apprentice.learning');
  }

  /** Sends what waits; what a receiver does not take within the limit is given up. */
  async close(): Promise<void> {
    const limit = new AbortController();
    const given = delay(CLOSE_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined);
    // What goes wrong in sending is said by the exporter.
    await Promise.race([this.#provider.shutdown().catch(() => undefined), given]);
    limit.abort();
  }

  /** `times`: of the phase that the event ends. */
  record(event: LearningEvent, times: Times): void {
    switch (event.kind) {
      case 'placed':
        this.#make({
          name: 'observation',
          at: this.#names.observation(event.turnId, event.observationId),
          parent: null,
          times,
          attributes: { 'apprentice.next_state': event.of },
        });
        break;
      case 'judged':
        this.#judged(event, times);
        break;
      case 'batch_built':
        this.#built(event.batchId, times);
        break;
      case 'batch_trained':
        this.#chained(event.batchId, ({ train, batch }) => ({
          name: 'train',
          at: train,
          parent: batch,
          times,
          attributes: trainAttributes(event.metrics),
        }));
        break;
      case 'batch_failed':
        this.#chained(event.batchId, ({ train, batch }) => ({
          name: 'train',
          at: train,
          parent: batch,
          times,
          failed: true,
        }));
        break;
      case 'decided':
        this.#decided(event, times);
        break;
      default:
        break;
    }
  }

  #judged({ verdict, sample }: Extract<LearningEvent, { kind: 'judged' }>, times: Times): void {
    const { turnId, score, decidedBy, evidence, decidedAtMs } = verdict;
    const observed = this.#store.nextStates(turnId);
    const last = observed.at(-1);
    // Settled because nothing followed: no correction, and no trace.
    if (last === undefined) return;
    const source = decidedBy.startsWith('evidence:') ? decidedBy.slice('evidence:'.length) : null;
    const decisive = evidence.findLast((one) => one.source === source)?.observationId ?? last.observationId;
    const at = this.#names.judge(turnId, decidedAtMs);
    this.#make({
      name: 'judge',
      at,
      parent: this.#names.observation(turnId, decisive),
      times,
      attributes: {
        'apprentice.score': score === null ? 'none' : String(score),
        'apprentice.decided_by': decidedBy.split(':', 1)[0] ?? '',
        'apprentice.evidence': evidence.length,
        'apprentice.next_states': observed.length,
      },
      links: observed
        .filter(({ observationId }) => observationId !== decisive)
        .map(({ observationId }) => this.#names.observation(turnId, observationId)),
    });
    // One that says what an earlier one said is that one, and has its span already.
    const made = sample && this.#store.sample(sample.sampleId);
    if (!made) return;
    this.#make({
      name: 'sample',
      at: this.#names.sample(turnId, made.sampleId),
      parent: at,
      times: { beganMs: times.endedMs, endedMs: times.endedMs },
      attributes: {
        'apprentice.sample.state': made.state,
        'apprentice.sample.hint': made.hint?.kind ?? 'none',
      },
    });
  }

  #built(batchId: Extract<LearningEvent, { kind: 'batch_built' }>['batchId'], times: Times): void {
    const batch = this.#store.batch(batchId);
    const samples = this.#store.batchSamples(batchId);
    const replayed = samples.filter(({ origin }) => origin === 'replay').length;
    const sources = this.#names.sources(batchId);
    this.#chained(batchId, ({ batch: at, parent }) => ({
      name: 'batch',
      at,
      parent,
      times,
      attributes: {
        'apprentice.batch.kind': batch?.kind ?? 'samples',
        'apprentice.batch.new_samples': samples.length - replayed,
        'apprentice.batch.replayed_samples': replayed,
        'apprentice.batch.rows': batch?.manifest?.rows.length ?? 0,
      },
      links: sources.filter(({ spanId }) => spanId !== parent?.spanId),
    }));
  }

  #decided({ version, outcome, figures }: Extract<LearningEvent, { kind: 'decided' }>, times: Times): void {
    const batch = this.#names.batchOf(version);
    if (batch === undefined) return;
    this.#chained(batch.batchId, ({ gate, train }) => ({
      name: 'gate',
      at: gate,
      parent: train,
      times,
      attributes: {
        'apprentice.gate.outcome': outcome,
        ...(figures && {
          'apprentice.gate.turns': figures.turns,
          'apprentice.gate.held_out': figures.heldOut,
          'apprentice.gate.seconds': figures.seconds,
          ...known('apprentice.gate.mean_difference_nats', figures.meanDifference),
          ...known('apprentice.gate.lower_bound_nats', figures.lowerBound),
          ...known('apprentice.gate.drift_nats', figures.driftNats),
        }),
      },
    }));
    if (outcome === 'rejected') return;
    this.#chained(batch.batchId, ({ promote, gate }) => ({
      name: 'promote',
      at: promote,
      parent: gate,
      times: { beganMs: times.endedMs, endedMs: times.endedMs },
    }));
  }

  #chained(batchId: Parameters<SpanNames['chains']>[0], make: (chain: BatchChain) => Made): void {
    for (const chain of this.#names.chains(batchId)) this.#make(make(chain));
  }

  #make({ name, at, parent, times, attributes = {}, links = [], failed = false }: Made): void {
    this.#ids.next = at;
    const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
    const span = this.#tracer.startSpan(
      name,
      {
        startTime: times.beganMs,
        attributes,
        links: links.slice(0, MAX_LINKS).map((place): Link => ({ context: contextOf(place) })),
      },
      context,
    );
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(times.endedMs);
  }
}

function contextOf({ traceId, spanId }: SpanPlace): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

function known(name: string, value: number | null): Attributes {
  return value === null ? {} : { [name]: value };
}

function trainAttributes(metrics: TrainMetrics): Attributes {
  return {
    'apprentice.train.loss': metrics.loss,
    'apprentice.train.gradient_norm': metrics.gradNorm,
    'apprentice.train.logprob_fall_nats': metrics.logprobFall,
    ...known('apprentice.train.kl_to_base_nats', metrics.klToBase),
    'apprentice.train.steps': metrics.steps.length,
    'apprentice.train.tokens': metrics.tokens,
    'apprentice.train.trained_tokens': metrics.trainedTokens,
    'apprentice.train.seconds': metrics.seconds,
  };
}

/** Gives the span that is started next the id that was chosen for it: starting one is one call, and nothing in between. */
class ChosenIds implements IdGenerator {
  next: SpanPlace = { traceId: '', spanId: '' };

  generateTraceId(): string {
    return this.next.traceId;
  }

  generateSpanId(): string {
    return this.next.spanId;
  }
}
