/** What is stored, and what leaves the store when the user says so: exports of turns and of adapters; the curve by group. */
import { z } from 'zod';
import { WeightVersion } from './ids.ts';

/** Rows and bytes. A folder that is not there counts 0. */
export const Stored = z.object({
  counts: z.object({
    sessions: z.number().int(),
    turns: z.number().int(),
    nextStates: z.number().int(),
    verdicts: z.number().int(),
    samples: z.number().int(),
    lessons: z.number().int(),
    versions: z.number().int(),
  }),
  bytes: z.object({
    store: z.number().int(),
    batches: z.number().int(),
    adapters: z.number().int(),
    optimizer: z.number().int(),
    logs: z.number().int(),
    /** Copies that were set aside after damage. */
    setAside: z.number().int(),
  }),
  home: z.string(),
});
export type Stored = z.infer<typeof Stored>;

/** turns: a line of JSON a turn (`export/turn-line.ts`). trajectories: a line a conversation, in ATIF. */
export const ExportFormat = z.enum(['turns', 'trajectories']);
export type ExportFormat = z.infer<typeof ExportFormat>;

export const ExportRequest = z.object({
  requestId: z.uuid(),
  format: ExportFormat,
  /** Absolute; the user chose it. What lies there is replaced when the export is complete. */
  file: z.string().min(1).max(4096),
});
export type ExportRequest = z.infer<typeof ExportRequest>;

export const Exported = z.object({ lines: z.number().int(), bytes: z.number().int() });
export type Exported = z.infer<typeof Exported>;

export const AdapterExportRequest = z.object({
  version: WeightVersion,
  /** Absolute; the user chose it. The adapter becomes a new folder in it. */
  folder: z.string().min(1).max(4096),
});

/** Judged first answers of one version within one week. */
export const AnswerGroup = z.object({
  /** The Monday that the week begins with, UTC: 2026-01-05. */
  week: z.iso.date(),
  version: WeightVersion,
  /** First answers with a score of +1 or -1. */
  answers: z.number().int(),
  accepted: z.number().int(),
  /** Times that the user's own hand said otherwise: rewritten, reviewed, edited, reverted, thumbed down. */
  corrections: z.number().int(),
  /** Answers whose edits were followed in files, and the sum of the shares of their lines that were left. */
  edits: z.number().int(),
  survival: z.number(),
  /**
   * Of the newest 500 judged ones those whose wanted text is known, and the sum of their likeness to it: chrF2, 0 to
   * 100; an answer that the user took as it stood is 100.
   */
  likened: z.number().int(),
  likeness: z.number(),
});
export type AnswerGroup = z.infer<typeof AnswerGroup>;
