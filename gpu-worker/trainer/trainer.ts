/** Training as the worker sees it, and what a machine that trains (torch, later others) has to offer for it. */
import type { BatchId } from '../../agent-server/protocol/ids.ts';
import type { FromWorker, ProcessState } from '../../agent-server/protocol/link.ts';
import type { Lineage, TrainMetrics } from '../../agent-server/protocol/training.ts';

export type TrainPhase = Extract<FromWorker, { type: 'progress' }>['phase'];
/** `fraction` is the share of the phase that is done, 0 to 1. */
export type OnProgress = (phase: TrainPhase, fraction: number) => void;
/** How many runs, of whomever, come before; not told to whom nobody comes before. */
export type OnAhead = (ahead: number) => void;

/** Turns batch folders into published versions, one at a time, each batch once. */
export interface Trainer {
  /**
   * The version of a batch: trained now, or as it was published before. A second call for a batch in training
   * joins the first. Throws `batch_invalid`, `batch_tampered`, `adapter_invalid`, `base_model_mismatch`,
   * `step_rejected`, `queue_full`, `trainer_unavailable`, `aborted`.
   */
  train(batchId: BatchId, folder: string, onProgress: OnProgress, onAhead?: OnAhead): Promise<Trained>;
  /** Is a batch in training, or its version here? Then `train` needs no folder. */
  knows(batchId: BatchId): Promise<boolean>;
  /** Ends a batch's training; its `train` throws `aborted`. A batch that is not in training is left alone. */
  cancel(batchId: BatchId): void;
}

export interface Trained {
  folder: string;
  lineage: Lineage;
}

/** Folders and files of one run, all absolute; what is written there counts once the caller publishes it. */
export interface TrainJob {
  batchFolder: string;
  /** The parent's adapter folder; null trains a fresh adapter. */
  parentFolder: string | null;
  /** The parent's AdamW moments; null starts them at zero. */
  optimizerFile: string | null;
  out: string;
  optimizerOut: string;
}

/** Something that computes. It holds no queue and no version, and may die in the middle of a run. */
export interface TrainBackend {
  /** Runs one job. Throws `trainer_unavailable` when the process behind it died: then the job can be run again. */
  run(job: TrainJob, onProgress: OnProgress, signal: AbortSignal): Promise<TrainMetrics>;
  state(): ProcessState;
  /** Calls `listener` at every change; returns the way to stop that. */
  onStateChange(listener: (state: ProcessState) => void): () => void;
}
