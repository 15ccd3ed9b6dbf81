/** The panel's snapshot, composed out of the store and what runs. When it is sent is panel-feed.ts. */
import type { Progress } from '../loops/training-progress.ts';
import type { WorkerStatus } from '../loops/worker-link.ts';
import type { ApprenticeError } from '../protocol/errors.ts';
import type { BatchId } from '../protocol/ids.ts';
import type { Learning, LoopStatus, PanelSnapshot, WorkerPlace } from '../protocol/panel.ts';
import type { Store } from '../store/store.ts';
import { panelLessons } from './lessons.ts';
import { shortened, shortText } from './turn-detail.ts';

/** What a snapshot takes from outside the store. */
export interface PanelSources {
  store: Store;
  /** In the order serve, environment, judge, train. */
  loops: LoopStatus[];
  worker: PanelSnapshot['worker'];
  workerPlace: PanelSnapshot['workerPlace'];
  training: Progress | null;
  gatewayUrl: string;
}

/** The latest; `apprentice/turns` has all of them. */
const MAX_TURNS = 20;
const MAX_VERSIONS = 50;
const MAX_CURVE_POINTS = 500;
const MAX_LESSONS = 50;
/** Of a batch under way. */
const MAX_LEARNT = 5;

export function panelSnapshot(sources: PanelSources, nowMs: number): PanelSnapshot {
  const { store, loops, worker } = sources;
  return {
    at: new Date(nowMs).toISOString(),
    learning: store.learning(),
    loops,
    worker: worker && { engine: worker.engine, trainer: worker.trainer },
    workerPlace: sources.workerPlace,
    training: trainingStatus(store, sources.training),
    serving: store.serving(),
    versions: store.panelVersions(MAX_VERSIONS),
    turns: store.panelTurns(MAX_TURNS),
    curve: store.curve(MAX_CURVE_POINTS),
    lessons: panelLessons(store, MAX_LESSONS),
    samplesReady: store.queueLengths(nowMs).samplesReady,
    gateway: { url: sources.gatewayUrl },
  };
}

/** `url`: of a worker on another machine; null: it is this one's. */
export function workerPlace(url: string | null, status: WorkerStatus): WorkerPlace {
  if (url === null) return { kind: 'local' };
  return status.connected
    ? { kind: 'remote', url, baseModel: status.baseModel, error: null }
    : { kind: 'remote', url, baseModel: null, error: errorText(status.error) };
}

function errorText(error: ApprenticeError | null): string | null {
  return error === null ? null : `${error.message} ${error.remedy}`.trim();
}

/** The serve loop has no worker of its own: it is the turns that run, and the engine that answers them. */
export function serveStatus(
  running: number,
  done: number,
  worker: WorkerStatus,
  place: WorkerPlace['kind'],
): LoopStatus {
  const status = (state: LoopStatus['state'], detail: string | null): LoopStatus => ({
    name: 'serve',
    state: running > 0 ? 'working' : state,
    queued: running,
    done,
    detail,
  });
  if (!worker.connected) {
    const starting = place === 'local' ? 'The gpu-worker is starting.' : 'The gpu-worker is being connected.';
    return status('waiting', (place === 'remote' && worker.error?.message) || starting);
  }
  const { state, detail } = worker.engine;
  if (state === 'failed') return status('failed', detail);
  return status(state === 'ready' || state === 'busy' ? 'idle' : 'waiting', detail);
}

/** The batch under way, with the trainer's last word on it. */
function trainingStatus(store: Store, progress: Progress | null): PanelSnapshot['training'] {
  const batch = store.openBatch();
  if (batch === undefined) return null;
  const { batchId, version } = batch;
  const { phase, fraction, ahead } =
    progress?.batchId === batchId ? progress : { phase: batch.state, fraction: 0, ahead: 0 };
  return { batchId, version, phase, fraction, ahead, learning: learningOf(store, batchId) };
}

function learningOf(store: Store, batchId: BatchId): Learning {
  const samples = store.batchSamples(batchId);
  const fresh = samples.filter(({ origin }) => origin === 'new');
  const turns = store.batchTurns(batchId);
  const lessons = turns.filter(({ role }) => role === 'lesson');
  return {
    turns: fresh.slice(0, MAX_LEARNT).flatMap(({ sampleId }) => {
      const turnId = store.sample(sampleId)?.turnId;
      const turn = turnId && store.panelTurn(turnId);
      return turn ? [shortened(turn)] : [];
    }),
    newTurns: fresh.length,
    repeated: samples.length - fresh.length,
    distilled: turns.length - lessons.length,
    lessons: lessons.slice(0, MAX_LEARNT).flatMap(({ turnId }) => {
      const turn = store.panelTurn(turnId);
      const text = turn?.correction ?? turn?.hint ?? '';
      return turn === undefined ? [] : [{ turnId, subject: turn.subject, text: shortText(text) }];
    }),
  };
}
