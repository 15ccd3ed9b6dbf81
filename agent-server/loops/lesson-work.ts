/** What the train loop does with lessons when nothing else is to do: checks, then distillation. Joins the parts. */
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { LessonBook } from '../hindsight/lesson-book.ts';
import type { LearningConfig } from '../learning/config.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';
import { Distillation } from './distillation.ts';
import { distillationBuilder } from './distillation-builder.ts';
import { whenIdle } from './idle-work.ts';
import { lessonChecks } from './lesson-checks.ts';
import type { IdleWork } from './train-items.ts';
import type { BuildsBatch } from './train-steps.ts';

export interface LessonWork {
  idle: IdleWork;
  /** Batches that a crash left open are built also where distillation has been switched off since. */
  distillation: BuildsBatch;
  close(): void;
}

export function lessonWork(parts: {
  store: Store;
  engine: Engine;
  serving: Serving;
  prompts: PromptSource;
  lessons: LessonBook;
  config: LearningConfig;
  log: Log;
}): LessonWork {
  const distillation = new Distillation(parts);
  const { idleAfterMs } = parts.config;
  const idle = whenIdle([lessonChecks(parts), distillation], parts.store, { idleAfterMs, nowMs: Date.now });
  return {
    idle,
    distillation: distillationBuilder(parts),
    close: () => {
      idle.close();
      distillation.close();
    },
  };
}
