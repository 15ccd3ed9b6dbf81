/**
 * From one judged turn to its training rows, by the configured method; and before that, what has to be
 * scored or tokenised for them, so that the train loop asks the engine for no more than that.
 */
import { ApprenticeError } from '../protocol/errors.ts';
import { binaryRl } from './binary-rl.ts';
import { combined } from './combined.ts';
import type { LearningConfig } from './config.ts';
import { destroyInformation } from './control.ts';
import { demonstrationRow } from './demonstration.ts';
import { hybrid } from './hybrid.ts';
import type { Random } from './random.ts';
import { type Support, sameLength, sampledSupport, type TrainRow } from './rows.ts';
import type { Score, ScoredResponse } from './scored.ts';

/** What a judge said of a turn, as far as learning is concerned. */
export interface Judged {
  readonly score: Score | null;
  readonly hint: { readonly kind: 'rewrite' | 'words' } | null;
}

/** The settings that decide which rows there are. */
export type RowSettings = Pick<
  LearningConfig,
  'method' | 'topK' | 'gapClip' | 'opdWeight' | 'rlWeight' | 'demonstrationWeight' | 'arm'
>;

export interface Needs {
  /** The turn's response scored by the version that is trained: gives old logprobs. */
  student: boolean;
  /** The same response scored after the teacher's prompt. */
  teacher: boolean;
  /** Length of the top lists to ask for, 0 for none. */
  topLogprobs: number;
  /** The tokens of the rewrite, with the end-of-turn token. */
  rewrite: boolean;
}

/** A turn with all that `needsOf` asked for; null for what it did not. */
export interface SampleParts extends Judged {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  /** NaN where the engine gave none. */
  readonly behaviourLogprobs: readonly number[];
  readonly student: ScoredResponse | null;
  readonly teacher: ScoredResponse | null;
  readonly rewriteIds: readonly number[] | null;
}

/**
 * Longer lists than the support make floors rare, and old logprobs known for what the teacher adds. The
 * engine contract allows at most 64.
 */
const LIST_PER_SUPPORT = 8;
const LONGEST_LIST = 64;

/** What the rows of a sample need; null when the method can learn nothing from it. */
export function needsOf(settings: Pick<RowSettings, 'method' | 'topK'>, judged: Judged): Needs | null {
  const rewrite = takesDemonstration(settings.method) && judged.hint?.kind === 'rewrite';
  const scored = judged.score !== null && judged.score !== 0;
  const hinted = judged.hint !== null;
  const lists = Math.min(LONGEST_LIST, LIST_PER_SUPPORT * settings.topK);
  const needs = (student: boolean, teacher: boolean, topLogprobs: number): Needs | null =>
    student || rewrite ? { student, teacher, topLogprobs, rewrite } : null;
  switch (settings.method) {
    case 'demonstration':
      return needs(false, false, 0);
    case 'binary-rl':
      return needs(scored, false, 0);
    case 'opd':
      return needs(hinted, hinted, 0);
    case 'combined':
      return needs(scored || hinted, hinted, 0);
    case 'hybrid-union':
    case 'hybrid-union+demonstration':
      return needs(scored || hinted, hinted, hinted ? lists : 0);
  }
}

/**
 * The rows of one sample: none, a response row, a demonstration row, or both. With `arm: 'control'` their
 * information is destroyed by `random`. Throws `batch_invalid` when something that `needsOf` named is missing
 * or belongs to another response.
 */
export function rowsOfSample(settings: RowSettings, sample: SampleParts, random: Random): TrainRow[] {
  const needs = needsOf(settings, sample);
  if (needs === null) return [];
  const rows: TrainRow[] = [];
  if (needs.student && sample.responseIds.length > 0) {
    const student = present(sample.student, 'the student score');
    const teacher = needs.teacher ? present(sample.teacher, 'the teacher score') : null;
    const support = supportOf(settings, sample, student, teacher);
    if (support !== null) rows.push(responseRow(sample, student, support));
  }
  if (needs.rewrite) {
    const rewriteIds = present(sample.rewriteIds, 'the tokens of the rewrite');
    if (rewriteIds.length > 0) {
      rows.push(demonstrationRow(sample.promptIds, rewriteIds, settings.demonstrationWeight));
    }
  }
  return settings.arm === 'control' ? rows.map((row) => destroyInformation(row, random)) : rows;
}

function takesDemonstration(method: LearningConfig['method']): boolean {
  return method === 'demonstration' || method === 'hybrid-union+demonstration';
}

function supportOf(
  settings: RowSettings,
  sample: SampleParts,
  student: ScoredResponse,
  teacher: ScoredResponse | null,
): Support | null {
  const { responseIds, score } = sample;
  const weights = { wOpd: settings.opdWeight, wRl: settings.rlWeight };
  const onSampled = (advantages: number[] | null): Support | null =>
    advantages === null ? null : sampledSupport(responseIds, student.logprobs, advantages);
  switch (settings.method) {
    case 'demonstration':
      return null;
    case 'binary-rl':
      return onSampled(binaryRl(score, responseIds.length));
    case 'opd':
      return onSampled(combined(student.logprobs, teacher?.logprobs ?? null, null, weights));
    case 'combined':
      return onSampled(combined(student.logprobs, teacher?.logprobs ?? null, score, weights));
    case 'hybrid-union':
    case 'hybrid-union+demonstration':
      return hybrid(responseIds, student, teacher?.top ?? null, score, {
        support: 'union',
        k: settings.topK,
        gapClip: settings.gapClip,
        ...weights,
      });
  }
}

function responseRow(sample: SampleParts, student: ScoredResponse, support: Support): TrainRow {
  sameLength('student logprobs', student.logprobs.length, sample.responseIds.length);
  return {
    role: 'response',
    promptIds: sample.promptIds,
    responseIds: sample.responseIds,
    support,
    oldLogprobs: student.logprobs,
    behaviourLogprobs: sample.behaviourLogprobs,
    lossMask: sample.responseIds.map(() => 1),
    ceWeights: sample.responseIds.map(() => 0),
  };
}

function present<T>(value: T | null, what: string): T {
  if (value !== null) return value;
  throw new ApprenticeError(
    'batch_invalid',
    `A sample came without ${what}.`,
    'Ask needsOf what to score first.',
  );
}
