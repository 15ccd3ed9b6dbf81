/** What the train loop may have to do, and which of it comes first. Doing it is train-steps.ts. */
import type { LearningConfig } from '../learning/config.ts';
import type { ApprenticeError } from '../protocol/errors.ts';
import type { Store } from '../store/store.ts';
import type { Sample } from '../store/types.ts';
import type { Batch, Version } from '../store/version-types.ts';

/** Work that no correction waits for, such as the distillation of lessons: taken up when nothing else is to do. */
export interface IdleWork {
  /** The task to do now, or undefined. Asked again after every task: it must move on by itself. */
  next(nowMs: number): IdleTask | undefined;
  /** After \`next\` had nothing: when it may have something without a change of the store; never in the past. */
  nextDueMs(): number | undefined;
}

export interface IdleTask {
  /** For the log: `lesson 3 on turn ...`. */
  readonly description: string;
  /** Must be idempotent and short: a correction that comes meanwhile waits for its end. */
  run(nowMs: number, signal: AbortSignal): Promise<void>;
  /** It failed for good: `next` must not answer it again. */
  giveUp(nowMs: number, error: ApprenticeError): void;
}

export type TrainItem =
  | { kind: 'decide'; version: Version }
  | { kind: 'batch'; batch: Batch }
  | { kind: 'anchor'; prompt: string }
  | { kind: 'samples'; samples: Sample[] }
  | { kind: 'idle'; task: IdleTask };

/**
 * What has waited longest in the chain goes first: a decision, the open batch, then new samples. `missing`: a
 * prompt that has no anchor yet.
 */
export function nextItem(
  sources: { store: Store; config: LearningConfig; idle: IdleWork | undefined; missing: string | undefined },
  nowMs: number,
): TrainItem | undefined {
  const { store, config, idle } = sources;
  const version = store.undecidedVersion();
  if (version) return { kind: 'decide', version };
  const batch = store.openBatch();
  if (batch) return { kind: 'batch', batch };
  const prompt = config.anchors > 0 ? sources.missing : undefined;
  // A first batch waits for the anchors that it takes itself; the rest are made when nothing else is to do.
  if (prompt !== undefined && store.anchors().length < config.anchors) return { kind: 'anchor', prompt };
  const samples = store.readySamples(config.newSamplesPerBatch);
  if (samples.length > 0) return { kind: 'samples', samples };
  if (prompt !== undefined) return { kind: 'anchor', prompt };
  const task = idle?.next(nowMs);
  return task && { kind: 'idle', task };
}

export function describeItem(item: TrainItem): string {
  switch (item.kind) {
    case 'decide':
      return `promotion of ${item.version.version}`;
    case 'batch':
      return `batch ${item.batch.batchId} (${item.batch.version})`;
    case 'anchor':
      return `anchor "${item.prompt}"`;
    case 'samples':
      return `${item.samples.length} new samples`;
    case 'idle':
      return item.task.description;
  }
}
