/** What the "Agent improvement" panel draws. A snapshot is whole: the panel keeps no state of its own. */
import { z } from 'zod';
import { TakenFor } from './gateway.ts';
import { BatchId, LessonId, TurnId, WeightVersion } from './ids.ts';
import { ProcessState } from './link.ts';
import type { TurnSubject } from './observations.ts';
import { GateFigures } from './promotion.ts';
import { TrainMetrics } from './training.ts';

/** What a turn was for, as a title. */
export const SUBJECT_TITLES = {
  commit_message: 'Commit message',
  inline_edit: 'Inline edit',
  chat: 'Chat',
} as const satisfies Record<TurnSubject['kind'], string>;

export const LoopName = z.enum(['serve', 'environment', 'judge', 'train']);
export type LoopName = z.infer<typeof LoopName>;

export const LoopStatus = z.object({
  name: LoopName,
  state: z.enum(['idle', 'working', 'waiting', 'paused', 'failed']),
  /** Items in its durable queue. */
  queued: z.number().int(),
  /** Items it has finished since the store was made. */
  done: z.number().int(),
  /** One sentence for a person, or null. */
  detail: z.string().nullable(),
});
export type LoopStatus = z.infer<typeof LoopStatus>;

export const VersionState = z.enum(['training', 'trained', 'serving', 'retired', 'failed']);

export const PanelVersion = z.object({
  version: WeightVersion,
  parent: WeightVersion.nullable(),
  state: VersionState,
  batchId: BatchId.nullable(),
  createdAt: z.iso.datetime(),
  servedAt: z.iso.datetime().nullable(),
  sampleCount: z.number().int(),
  /** Earlier requests that lessons were distilled on; 0 for a version made of samples. */
  requestCount: z.number().int(),
  metrics: TrainMetrics.nullable(),
  /** Why it serves, retired or failed: the latest decision on it. */
  reason: z.string().nullable(),
  /** What the gate measured of it. */
  figures: GateFigures.nullable(),
  /** Something that it learnt from was deleted or excluded since. */
  tainted: z.enum(['deleted', 'excluded']).nullable(),
  /** Its weights are on the disk: it can serve. */
  kept: z.boolean(),
});
export type PanelVersion = z.infer<typeof PanelVersion>;

/** What followed a turn, in the user's terms. */
export const TurnOutcome = z.enum([
  'pending',
  'accepted',
  'corrected',
  'thumb_up',
  'thumb_down',
  'no_score',
  'side',
]);
export type TurnOutcome = z.infer<typeof TurnOutcome>;

export const PanelTurn = z.object({
  turnId: TurnId,
  createdAt: z.iso.datetime(),
  subject: z.string(),
  repository: z.string().nullable(),
  version: WeightVersion,
  proposal: z.string(),
  outcome: TurnOutcome,
  /** The program that asked, as it calls itself; null: this editor, or one that says nothing. */
  client: z.string().nullable(),
  /** `main`, or the kind of side request that the turn was taken for. */
  takenFor: TakenFor,
  /** What the user wrote instead, when they did. */
  correction: z.string().nullable(),
  score: z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable(),
  decidedBy: z.string().nullable(),
  hint: z.string().nullable(),
  sampleState: z.enum(['none', 'ready', 'batched', 'trained', 'held']),
  /** The user left it out: not learnt from until they take that back. */
  excluded: z.boolean(),
  batchId: BatchId.nullable(),
  learntBy: WeightVersion.nullable(),
  /** One sentence each: why its sample is held, what was found of the teacher that saw its hint. */
  notes: z.array(z.string()),
});
export type PanelTurn = z.infer<typeof PanelTurn>;

/** Longest text of a lesson: what is longer never fits into a prompt beside the request. */
export const MAX_LESSON_CHARS = 4_000;

/** off: switched off by the user. retired: the weights of `retiredBy` do without it. */
export const LessonState = z.enum(['active', 'off', 'retired']);
export type LessonState = z.infer<typeof LessonState>;

/** A correction that acts at once: an earlier exchange that stands in the prompt of requests like it. */
export const PanelLesson = z.object({
  lessonId: LessonId,
  turnId: TurnId,
  subject: z.string(),
  repository: z.string().nullable(),
  /** The beginning of the request. */
  request: z.string(),
  /** '' where there is only a hint in words. */
  rewrite: z.string(),
  hint: z.string().nullable(),
  state: LessonState,
  /** Worded by the user. */
  edited: z.boolean(),
  createdAt: z.iso.datetime(),
  retiredBy: WeightVersion.nullable(),
});
export type PanelLesson = z.infer<typeof PanelLesson>;

export const CurvePoint = z.object({
  turnId: TurnId,
  at: z.iso.datetime(),
  version: WeightVersion,
  /** Was the first answer taken as it stood? */
  accepted: z.boolean(),
});
export type CurvePoint = z.infer<typeof CurvePoint>;

/** What the batch under way learns from. */
export const Learning = z.object({
  /** Turns new in it, a few of them. */
  turns: z.array(PanelTurn),
  /** New ones, earlier ones that are repeated, and earlier requests on which lessons are distilled. */
  newTurns: z.number().int(),
  repeated: z.number().int(),
  distilled: z.number().int(),
  /** The lessons that are distilled, a few of them. */
  lessons: z.array(z.object({ turnId: TurnId, subject: z.string(), text: z.string() })),
});
export type Learning = z.infer<typeof Learning>;

/** Where the engine and the trainer run. */
export const WorkerPlace = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('local') }),
  z.object({
    kind: z.literal('remote'),
    url: z.string(),
    /** Of its base model; null while it is not connected. */
    baseModel: z.string().nullable(),
    /** Why it is not connected, where that is known. */
    error: z.string().nullable(),
  }),
]);
export type WorkerPlace = z.infer<typeof WorkerPlace>;

export const PanelSnapshot = z.object({
  at: z.iso.datetime(),
  learning: z.enum(['unasked', 'on', 'paused', 'off']),
  loops: z.array(LoopStatus),
  worker: z.object({ engine: ProcessState, trainer: ProcessState }).nullable(),
  workerPlace: WorkerPlace,
  training: z
    .object({
      batchId: BatchId,
      version: WeightVersion,
      phase: z.string(),
      fraction: z.number(),
      /** While it waits at a worker that has other users: runs that come before. */
      ahead: z.number().int(),
      learning: Learning,
    })
    .nullable(),
  serving: WeightVersion,
  versions: z.array(PanelVersion),
  turns: z.array(PanelTurn),
  curve: z.array(CurvePoint),
  /** Newest first. */
  lessons: z.array(PanelLesson),
  /** Corrections that wait for the next batch. */
  samplesReady: z.number().int(),
  gateway: z.object({ url: z.string() }),
});
export type PanelSnapshot = z.infer<typeof PanelSnapshot>;
