/** The panel's snapshot, composed out of the store and what runs. When it is sent is panel-feed.ts. */
import type { Progress, WorkerStatus } from '../loops/worker-link.ts';
import type { LoopStatus, PanelSnapshot } from '../protocol/panel.ts';
import type { Store } from '../store/store.ts';
import type { Batch } from '../store/version-types.ts';
import { panelLessons } from './lessons.ts';

/** What a snapshot takes from outside the store. */
export interface PanelSources {
  store: Store;
  /** In the order serve, environment, judge, train. */
  loops: LoopStatus[];
  worker: PanelSnapshot['worker'];
  training: PanelSnapshot['training'];
  gatewayUrl: string;
}

/** The latest; `apprentice/turns` has all of them. */
const MAX_TURNS = 20;
const MAX_VERSIONS = 50;
const MAX_CURVE_POINTS = 500;
const MAX_LESSONS = 50;

export function panelSnapshot(sources: PanelSources, nowMs: number): PanelSnapshot {
  const { store, loops, worker, training } = sources;
  return {
    at: new Date(nowMs).toISOString(),
    learning: store.learning(),
    loops,
    worker: worker && { engine: worker.engine, trainer: worker.trainer },
    training,
    serving: store.serving(),
    versions: store.panelVersions(MAX_VERSIONS),
    turns: store.panelTurns(MAX_TURNS),
    curve: store.curve(MAX_CURVE_POINTS),
    lessons: panelLessons(store, MAX_LESSONS),
    gateway: { url: sources.gatewayUrl },
  };
}

/** The serve loop has no worker of its own: it is the turns that run, and the engine that answers them. */
export function serveStatus(running: number, done: number, worker: WorkerStatus): LoopStatus {
  const status = (state: LoopStatus['state'], detail: string | null): LoopStatus => ({
    name: 'serve',
    state: running > 0 ? 'working' : state,
    queued: running,
    done,
    detail,
  });
  if (!worker.connected) return status('waiting', 'The gpu-worker is starting.');
  const { state, detail } = worker.engine;
  if (state === 'failed') return status('failed', detail);
  return status(state === 'ready' || state === 'busy' ? 'idle' : 'waiting', detail);
}

/** The batch under way, with the trainer's last word on it. */
export function trainingStatus(
  batch: Batch | undefined,
  progress: Progress | null,
): PanelSnapshot['training'] {
  if (batch === undefined) return null;
  const { batchId, version } = batch;
  if (progress?.batchId !== batchId) return { batchId, version, phase: batch.state, fraction: 0 };
  return { batchId, version, phase: progress.phase, fraction: progress.fraction };
}
