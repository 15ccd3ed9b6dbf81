/**
 * What the loops did, as Prometheus counts it: from the events of the store and, at each scrape, from its queues. Labels
 * are words of the protocol; no id, name, path or text is among them.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkerStatus } from '../loops/worker-link.ts';
import { versionNumber } from '../protocol/ids.ts';
import type { LoopStatus } from '../protocol/panel.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { TrainMetrics } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import type { LearningEvent } from './learning-events.ts';
import type { Times } from './phases.ts';

/** What is asked at each scrape. */
export interface Observed {
  store: Pick<Store, 'queueLengths' | 'serving' | 'batch' | 'sample' | 'batchSamples'>;
  loops(): readonly LoopStatus[];
  worker(): WorkerStatus;
}

/** From a thumb that is settled at once to a step on a large model. */
const PHASE_BUCKETS_S = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400];

export class LearningMetrics {
  readonly #observed: Observed;
  readonly #registers: [Registry];
  readonly #observations;
  readonly #nextStates;
  readonly #setAside;
  readonly #verdicts;
  readonly #samples;
  readonly #batches;
  readonly #batchSamples;
  readonly #versions;
  readonly #gateResults;
  readonly #gateSeconds;
  readonly #phases;
  readonly #trained;
  readonly #latest;

  constructor(registry: Registry, observed: Observed) {
    this.#observed = observed;
    this.#registers = [registry];
    this.#observations = this.#counter('observations_total', 'Observations taken in.', ['kind']);
    this.#nextStates = this.#counter('next_states_total', 'Observations that found their turn.', ['kind']);
    this.#setAside = this.#counter('observations_set_aside_total', 'Observations without a turn.', ['as']);
    this.#verdicts = this.#counter('verdicts_total', 'Turns settled, by score and who decided.', [
      'score',
      'decided_by',
    ]);
    this.#samples = this.#counter('samples_total', 'Samples made, by the state that they began in.', [
      'state',
    ]);
    this.#batches = this.#counter('batches_total', 'Batches begun, trained and failed.', ['outcome']);
    this.#batchSamples = this.#counter('batch_samples_total', 'Samples in the batches begun.', ['origin']);
    this.#versions = this.#counter('versions_total', 'What became of versions.', ['outcome']);
    this.#gateResults = this.#counter('gate_results_total', 'Decisions on trained versions.', ['outcome']);
    this.#gateSeconds = this.#histogram('gate_seconds', 'What the gate took to measure a version.', []);
    this.#phases = this.#histogram('phase_seconds', 'What each phase of a correction took.', ['phase']);
    this.#trained = {
      steps: this.#counter('training_steps_total', 'Optimizer steps of trained batches.', []),
      tokens: this.#counter('training_tokens_total', 'Tokens of trained batches, prompts included.', []),
      trainedTokens: this.#counter('trained_tokens_total', 'Tokens that a loss was taken of.', []),
      seconds: this.#counter('training_seconds_total', 'Time that the trainer computed.', []),
    };
    this.#latest = {
      loss: this.#gauge('training_loss', 'Of the last step.', []),
      gradNorm: this.#gauge('training_gradient_norm', 'Of the last step, before clipping.', []),
      logprobFall: this.#gauge(
        'training_logprob_fall_nats',
        'Of the trained tokens in the last batch, nats a token.',
        [],
      ),
      klToBase: this.#gauge('training_kl_to_base_nats', 'Of the last batch with anchors.', []),
      meanDifference: this.#gauge(
        'gate_mean_difference_nats',
        'The last measured version less the one before.',
        [],
      ),
      lowerBound: this.#gauge('gate_lower_bound_nats', 'Lower end of its interval.', []),
      drift: this.#gauge('gate_drift_nats', 'KL from the base of the last measured version.', []),
    };
    // Nothing has been measured yet, and 0 would be a measurement.
    for (const gauge of Object.values(this.#latest)) gauge.set(Number.NaN);
    this.#scraped();
  }

  /** `times`: of the phase that the event ends. */
  count(event: LearningEvent, { beganMs, endedMs }: Times): void {
    const seconds = (endedMs - beganMs) / 1000;
    switch (event.kind) {
      case 'observed':
        this.#observations.inc({ kind: event.of });
        break;
      case 'placed':
        this.#nextStates.inc({ kind: event.of });
        this.#phases.observe({ phase: 'place' }, seconds);
        break;
      case 'set_aside':
        this.#setAside.inc({ as: event.as });
        break;
      case 'closed':
        break;
      case 'judged': {
        const { score, decidedBy } = event.verdict;
        const [by = 'none'] = decidedBy.split(':');
        this.#verdicts.inc({ score: score === null ? 'none' : String(score), decided_by: by });
        const made = event.sample && this.#observed.store.sample(event.sample.sampleId);
        if (made) this.#samples.inc({ state: made.state });
        this.#phases.observe({ phase: 'judge' }, seconds);
        break;
      }
      case 'batch_begun':
        this.#batches.inc({ outcome: 'begun' });
        this.#batchSamples.inc({ origin: 'new' }, event.newSamples);
        this.#batchSamples.inc({ origin: 'replay' }, event.replaySamples);
        this.#waits(event.batchId, endedMs);
        break;
      case 'batch_built':
        this.#phases.observe({ phase: 'build' }, seconds);
        break;
      case 'batch_submitted':
        break;
      case 'batch_trained':
        this.#batches.inc({ outcome: 'trained' });
        this.#phases.observe({ phase: 'train' }, seconds);
        this.#step(event.metrics);
        break;
      case 'batch_failed':
        this.#batches.inc({ outcome: 'failed' });
        this.#versions.inc({ outcome: 'failed' });
        break;
      case 'decided':
        this.#versions.inc({ outcome: event.outcome === 'promoted' ? 'served' : 'failed' });
        this.#gateResults.inc({ outcome: event.outcome });
        if (event.figures) this.#gate(event.figures);
        this.#phases.observe({ phase: 'decide' }, seconds);
        break;
      case 'moved':
        this.#versions.inc({ outcome: event.how });
        break;
    }
  }

  /** How long each new sample of a batch waited for it. */
  #waits(batchId: Extract<LearningEvent, { kind: 'batch_begun' }>['batchId'], nowMs: number): void {
    const { store } = this.#observed;
    for (const { sampleId, origin } of store.batchSamples(batchId)) {
      const createdAtMs = origin === 'new' ? store.sample(sampleId)?.createdAtMs : undefined;
      if (createdAtMs !== undefined)
        this.#phases.observe({ phase: 'wait' }, Math.max(0, nowMs - createdAtMs) / 1000);
    }
  }

  #step({
    loss,
    gradNorm,
    logprobFall,
    klToBase,
    steps,
    trainedTokens,
    tokens,
    seconds,
  }: TrainMetrics): void {
    this.#trained.steps.inc(Math.max(1, steps.length));
    this.#trained.tokens.inc(tokens);
    this.#trained.trainedTokens.inc(trainedTokens);
    this.#trained.seconds.inc(seconds);
    this.#latest.loss.set(loss);
    this.#latest.gradNorm.set(gradNorm);
    this.#latest.logprobFall.set(logprobFall);
    this.#latest.klToBase.set(klToBase ?? Number.NaN);
  }

  #gate({ meanDifference, lowerBound, driftNats, seconds }: GateFigures): void {
    this.#gateSeconds.observe(seconds);
    this.#latest.meanDifference.set(meanDifference ?? Number.NaN);
    this.#latest.lowerBound.set(lowerBound ?? Number.NaN);
    this.#latest.drift.set(driftNats ?? Number.NaN);
  }

  /** Gauges that are read when somebody scrapes. */
  #scraped(): void {
    const { store, loops, worker } = this.#observed;
    const onScrape = (name: string, help: string, label: string, read: () => [string, number][]): void => {
      const gauge: Gauge<string> = new Gauge({
        name: `apprentice_${name}`,
        help,
        labelNames: [label],
        registers: this.#registers,
        collect: () => {
          gauge.reset();
          for (const [value, count] of read()) gauge.set({ [label]: value }, count);
        },
      });
    };
    onScrape('queue_length', 'Items that wait, by queue.', 'queue', () => {
      const { observations, judge, samplesReady, samplesInBatch } = store.queueLengths(Date.now());
      return [
        ['observations', observations],
        ['judge', judge],
        ['samples_ready', samplesReady],
        ['samples_in_batch', samplesInBatch],
      ];
    });
    onScrape('loop_failing', 'Loops that wait after an error, or failed: 1.', 'loop', () =>
      loops().map(({ name, state }) => [name, Number(state === 'waiting' || state === 'failed')]),
    );
    onScrape('loop_items_done', 'Items finished since the store was made.', 'loop', () =>
      loops().map(({ name, done }) => [name, done]),
    );
    onScrape('serving_version', 'Number of the version that serves; 0: the base.', 'policy', () => [
      ['serving', versionNumber(store.serving())],
    ]);
    onScrape('worker_ready', 'The link and the processes behind it: 1 while usable.', 'part', () => {
      const status = worker();
      const up = (state: string) => Number(state === 'ready' || state === 'busy');
      return [
        ['link', Number(status.connected)],
        ['engine', status.connected ? up(status.engine.state) : 0],
        ['trainer', status.connected ? up(status.trainer.state) : 0],
      ];
    });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `apprentice_${name}`, help, labelNames, registers: this.#registers });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `apprentice_${name}`, help, labelNames, registers: this.#registers });
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    const shared = { labelNames, buckets: PHASE_BUCKETS_S, registers: this.#registers };
    return new Histogram({ name: `apprentice_${name}`, help, ...shared });
  }
}
