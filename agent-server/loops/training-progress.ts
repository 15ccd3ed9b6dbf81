/** How far the training of a batch is, as the loops and the panel tell it. */
import type { BatchId } from '../protocol/ids.ts';
import type { TrainerProgress } from './link-connection.ts';

export interface Progress {
  batchId: BatchId;
  phase: 'waiting' | Extract<TrainerProgress, { type: 'progress' }>['phase'] | 'fetching';
  /** Share of the phase that is done, 0 to 1. */
  fraction: number;
  /** While it waits: runs of the worker's users that come before. */
  ahead: number;
}

/** Of what the worker says. */
export function progressOf(told: TrainerProgress): Progress {
  const { batchId } = told;
  return told.type === 'queued'
    ? { batchId, phase: 'waiting', fraction: 0, ahead: told.ahead }
    : { batchId, phase: told.phase, fraction: told.fraction, ahead: 0 };
}
