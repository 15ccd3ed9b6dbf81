/**
 * The train loop: ready samples become a batch, the batch a version, the version the one that serves. Every step
 * is read from the store, so that a crash between any two goes on where it was; the worker makes one version of
 * one batch, so that a step done twice is done once.
 *
 * Here is when a step may be taken and what follows when it fails; what comes first is train-items.ts, the steps
 * themselves train-steps.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import { missingAnchor } from './anchor-maker.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';
import { describeItem, type IdleWork, nextItem, type TrainItem } from './train-items.ts';
import { TrainSteps, type TrainStepsParts } from './train-steps.ts';
import type { WorkerLink } from './worker-link.ts';

export interface TrainLoopParts extends TrainStepsParts {
  /** Which of the worker's processes are alive? What needs one that is not is not begun. */
  ready: () => { engine: boolean; trainer: boolean };
  idle?: IdleWork;
}

/** Reported failures of one step before its batch or version is given up. */
export const MAX_ATTEMPTS = 3;
const OUTAGE_PAUSE_MS = 1_000;
/** Not the batch's fault: tried again as often as it takes, within MAX_SUBMISSIONS. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'engine_unavailable',
  'worker_unavailable',
  'trainer_unavailable',
  'transfer_failed',
  'adapter_not_loaded',
  'queue_full',
]);
/** The same again would fail the same way. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'batch_invalid',
  'base_model_mismatch',
  'step_rejected',
]);

/** Starts the loop. Sweeps folders that a crash left behind first. */
export async function startTrainLoop(
  parts: Omit<TrainLoopParts, 'ready' | 'trainer'> & { link: WorkerLink },
  options: Omit<LoopOptions, 'onChange' | 'log'>,
): Promise<Loop> {
  const { store, link } = parts;
  await parts.folders.sweep(store.openBatch()?.batchId);
  const ready = () => {
    const { status } = link;
    if (!status.connected) return { engine: false, trainer: false };
    return { engine: isUp(status.engine.state), trainer: isUp(status.trainer.state) };
  };
  return startLoop(trainWork({ ...parts, trainer: link, ready }), {
    maxAttempts: MAX_ATTEMPTS,
    ...options,
    log: parts.log,
    onChange: (listener) => {
      const fromStore = store.onChange(listener);
      // A worker that is there again is as good as a change: queued samples wait for it.
      const fromLink = link.onStatus(() => listener('batches'));
      return () => {
        fromStore();
        fromLink();
      };
    },
  });
}

function isUp(state: string): boolean {
  return state === 'ready' || state === 'busy';
}

export function trainWork(parts: TrainLoopParts): LoopWork<TrainItem> {
  const { store, config, log, idle } = parts;
  const steps = new TrainSteps(parts);
  /** Of the idle work, where it was asked and had nothing; asked later, its answer may lie in the past. */
  let idleDueMs: number | undefined;
  return {
    name: 'train',
    wakesOn: ['settings', 'samples', 'batches', 'versions', 'lessons'],
    next: (nowMs) => {
      idleDueMs = undefined;
      const ready = parts.ready();
      if (store.learning() !== 'on' || !ready.engine) return undefined;
      const missing = steps.anchorsFailed ? undefined : missingAnchor(store);
      const item = nextItem({ store, config, idle, missing }, nowMs);
      if (item === undefined) idleDueMs = idle?.nextDueMs();
      const submits = item?.kind === 'batch' && item.batch.manifest !== null;
      return submits && !ready.trainer ? undefined : item;
    },
    nextDueMs: () => idleDueMs,
    describe: describeItem,
    handle: async (item, nowMs, signal) => {
      try {
        await steps.run(item, nowMs, signal);
      } catch (thrown) {
        const error = toApprenticeError(thrown);
        if (signal.aborted) throw error;
        if (steps.stale(item)) {
          log.info(`train loop: ${describeItem(item)} was given up by the user.`);
        } else if (OUTAGES.has(error.code)) {
          log.info(`train loop: ${describeItem(item)} waits: ${error.message}`);
          await delay(OUTAGE_PAUSE_MS, undefined, { signal });
        } else if (HOPELESS.has(error.code)) {
          steps.giveUp(item, nowMs, error);
        } else {
          throw error;
        }
      }
    },
    giveUp: (item, nowMs, error) => steps.giveUp(item, nowMs, error),
    counts: (nowMs) => {
      const { samplesReady, samplesInBatch } = store.queueLengths(nowMs);
      return { queued: samplesReady + samplesInBatch, done: store.doneCounts().train };
    },
  };
}
