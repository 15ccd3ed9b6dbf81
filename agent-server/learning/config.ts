/** How the policy learns: every default stands here, once. The bench justifies them. */
import { z } from 'zod';
import { Hyperparameters } from '../protocol/training.ts';
import { GuardRails } from './guard-rails.ts';

export const LearningConfig = z.strictObject({
  /**
   * Terms a judged turn adds (terms.ts). none: the weights stay, lessons alone act. demonstration: -log pi of the
   * user's rewrite. hybrid-student, hybrid-union: distillation towards the teacher on the policy's own answer, support
   * from the student or from both. opd, combined, binary-rl: see the files of these names. by-kind: the most that is
   * known of the turn, a demonstration for a rewrite, hybrid-union for a hint in words, binary-rl for a score alone.
   * On rewrites demonstration alone learnt as much as with distillation beside it (README.md, "What it learns") at
   * half the rows, so it is the default; what has a score and no rewrite is then held.
   */
  method: z
    .enum([
      'none',
      'by-kind',
      'demonstration',
      'hybrid-student',
      'hybrid-student+demonstration',
      'hybrid-union',
      'hybrid-union+demonstration',
      'opd',
      'binary-rl',
      'combined',
    ])
    .default('demonstration'),
  /** Who answers as teacher: the base without adapter, or the version that serves. */
  teacher: z.enum(['base', 'current']).default('base'),
  /** once: before a sample is first distilled its teacher answers itself, and one that is no better is not used. */
  teacherCheck: z.enum(['once', 'never']).default('once'),
  topK: z.number().int().min(1).max(32).default(4),
  /** C: the distillation gap log pi_T - log pi_old is held in [-C, C]. */
  gapClip: z.number().positive().default(1),
  opdWeight: z.number().min(0).default(1),
  rlWeight: z.number().min(0).default(1),
  demonstrationWeight: z.number().min(0).default(1),
  /** Earlier samples trained again in every batch. */
  replay: z.number().int().min(0).max(64).default(4),
  /** Anchor rows in every batch, and lambda, the weight of each. */
  anchors: z.number().int().min(0).max(32).default(12),
  anchorWeight: z.number().min(0).default(4),
  /** New samples that one batch may take. 1: one step an interaction. */
  newSamplesPerBatch: z.number().int().min(1).max(64).default(1),
  /** Off: an accepted answer makes no step; it is kept as a held sample. */
  trainOnAccepted: z.boolean().default(false),
  /**
   * with-lessons: an answer that was accepted, given with lessons in its prompt, is a demonstration of what to say
   * without them. Where lessons make most answers right, few corrections are left to learn from.
   */
  demonstrateAccepted: z.enum(['never', 'with-lessons']).default('with-lessons'),
  /** Lesson distillation: what lessons bring about is learnt on the user's earlier requests, in idle time. */
  distillation: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** Requests of one batch. */
      requests: z.number().int().min(1).max(32).default(4),
      batchesPerHour: z.number().int().min(1).max(3_600).default(6),
    })
    .prefault({}),
  /** Work that nobody waits for (distillation, checks of lessons) begins when no turn was made for so long. */
  idleAfterMs: z.number().int().min(0).default(30_000),
  /**
   * `learn`, or the control of an experiment: advantages permuted within each response and demonstration
   * tokens shuffled, all else equal.
   */
  arm: z.enum(['learn', 'control']).default('learn'),
  /** A step beyond these has blown up: its version never serves. */
  guardRails: GuardRails.prefault({}),
  hyperparameters: Hyperparameters.prefault({
    learningRate: 1e-3,
    steps: 2,
    loraRank: 16,
    loraAlpha: 32,
    weightDecay: 0,
    adamBeta1: 0.9,
    adamBeta2: 0.999,
    maxGradNorm: 1,
    clipLow: 0.2,
    clipHigh: 0.28,
    seed: 0,
  }),
});
export type LearningConfig = z.infer<typeof LearningConfig>;
