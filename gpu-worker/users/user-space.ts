/**
 * All that is one user's on a worker: weights and batches in a home of their own, a link, a view of the engine, routes
 * with counters of their own, a place in the training queue. Who comes in is users.ts.
 */
import type { Duplex } from 'node:stream';
import { Hono } from 'hono';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { TrainedWeights } from '../../agent-server/protocol/training.ts';
import type { JudgeEngine } from '../engine/judge-engine.ts';
import { engineRoutes } from '../engine/routes.ts';
import type { TokenEngine } from '../engine/token-engine.ts';
import type { ModelTokenizer } from '../engine/tokenizer.ts';
import type { WeightPauses } from '../engine/weight-pauses.ts';
import { LinkServer } from '../link/link-server.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { userApp } from '../server.ts';
import { TrainingRuns } from '../trainer/runs.ts';
import type { TrainBackend } from '../trainer/trainer.ts';
import type { TrainingQueue } from '../trainer/training-queue.ts';
import { ADAPTER_FORM, fullForm } from '../weights/forms.ts';
import { Weights } from '../weights/weights.ts';
import { UserEngine } from './user-engine.ts';

/** Metrics of one user, and the backend that counts that user's runs. */
export type Measure = (
  engine: UserEngine,
  trainer: { state(): ProcessState },
  backend: TrainBackend,
  pauses: WeightPauses | null,
) => { metrics: WorkerMetrics; backend: TrainBackend };

/** What users of a worker share. */
export interface Shared {
  engine: TokenEngine & { readonly epoch: string };
  /** What an engine answers beside its contract; before the routes that every engine has. */
  ownRoutes: Hono;
  backend: TrainBackend;
  /** What the backend trains. */
  weights: TrainedWeights;
  /** Of an engine that changes its weights; null: versions are adapters. */
  pauses: WeightPauses | null;
  /** Null: metrics are off. */
  measure: Measure | null;
  queue: TrainingQueue;
  tokenizer: ModelTokenizer;
  baseModel: string;
  engineLog: (line: string) => void;
  /** Null: there is no second model. */
  judge: JudgeEngine | null;
}

export interface UserSpaceOptions {
  shared: Shared;
  /** As `UserEngine` takes it. */
  id: string;
  /** The user's own folder. */
  home: string;
  /** Is this the only user that the worker has? */
  alone: () => boolean;
  log: (line: string) => void;
}

export class UserSpace {
  /** Every HTTP route of the user's. */
  readonly app: Hono;
  readonly link: LinkServer;
  readonly #options: UserSpaceOptions;
  readonly #engine: UserEngine;
  readonly #judge: UserEngine | null;
  readonly #runs: TrainingRuns;
  readonly #metrics: WorkerMetrics | null;
  #told = '';

  private constructor(options: UserSpaceOptions, weights: Weights, own: UserEngine) {
    const { shared, id, home, alone, log } = options;
    const { engine, backend, measure, queue, tokenizer, baseModel, engineLog, ownRoutes, judge } = shared;
    this.#options = options;
    this.#engine = own;
    this.#judge = judge && new UserEngine({ engine: judge.engine, id, alone });
    const trainer = { state: () => this.#trainer() };
    const measured = measure?.(own, trainer, backend, shared.pauses) ?? null;
    this.#metrics = measured?.metrics ?? null;
    this.#runs = new TrainingRuns(weights, measured?.backend ?? backend, log, queue.of(id));
    this.link = new LinkServer({
      home,
      trainer: this.#runs,
      weights,
      view: {
        baseModel,
        engine: () => engine.state(),
        trainer: () => this.#trainer(),
        engineEpoch: () => engine.epoch,
        unloadAll: () => this.#engine.unloadAll(),
      },
      log,
    });
    const metrics = this.#metrics?.engine ?? null;
    const routes = new Hono()
      .route('/', ownRoutes)
      .route('/', engineRoutes({ engine: this.#engine, tokenizer, log: engineLog, metrics }));
    if (judge && this.#judge) routes.route('/judge', judge.routes(this.#judge));
    this.app = userApp({ routes, weights, link: this.link, log });
  }

  /** Makes the folders and clears away what an earlier run left. */
  static async open(options: UserSpaceOptions): Promise<UserSpace> {
    const { home, id, alone, shared } = options;
    const engine = new UserEngine({ engine: shared.engine, id, alone });
    const form = shared.weights === 'adapter' ? ADAPTER_FORM : fullForm();
    const weights = new Weights(home, shared.baseModel, form, () => engine.adapters.keys());
    await weights.open();
    const space = new UserSpace(options, weights, engine);
    await space.link.open();
    return space;
  }

  /** A connection of the user's link was let in. */
  onLink(socket: Duplex): void {
    this.#metrics?.link.opened(socket);
  }

  /** To be called whenever a state of engine or trainer has changed; the user is told where it is news to them. */
  statusChanged(): void {
    const { engine } = this.#options.shared;
    const now = JSON.stringify([engine.state(), engine.epoch, this.#trainer()]);
    if (now === this.#told) return;
    this.#told = now;
    this.link.statusChanged();
  }

  /** Ends all that is under way; resolves when nothing of this user's is in the engine or written any more. */
  async end(): Promise<void> {
    const { shared, id } = this.#options;
    const training = this.link.close().then(() => this.#runs.close());
    // Whatever fails, nothing is given up on before the rest has ended too.
    const ends = await Promise.allSettled([training, this.#engine.end(), this.#judge?.end()]);
    shared.queue.forget(id);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Whether another's batch is being trained is nobody's business. */
  #trainer(): ProcessState {
    const state = this.#options.shared.backend.state();
    return state.state === 'busy' && !this.#runs.active ? { ...state, state: 'ready' } : state;
  }
}
