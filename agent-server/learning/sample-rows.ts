/**
 * From one judged turn to its training rows, by the configured method; and before that, what has to be
 * scored or tokenised for them, so that the train loop asks the engine for no more than that.
 */
import { ApprenticeError } from '../protocol/errors.ts';
import { binaryRl, mayStillFall } from './binary-rl.ts';
import { combined } from './combined.ts';
import type { LearningConfig } from './config.ts';
import { destroyInformation } from './control.ts';
import { demonstrationRow } from './demonstration.ts';
import { hybrid } from './hybrid.ts';
import type { Random } from './random.ts';
import { type Support, sameLength, sampledSupport, type TrainRow } from './rows.ts';
import type { ScoredResponse } from './scored.ts';
import { ALL_USABLE, type Judged, type ResponseTerm, termsOf, type Unusable } from './terms.ts';

/** The settings that decide which rows there are. */
export type RowSettings = Pick<
  LearningConfig,
  'method' | 'topK' | 'gapClip' | 'opdWeight' | 'rlWeight' | 'demonstrationWeight' | 'arm' | 'hyperparameters'
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
  readonly without: ReadonlySet<Unusable>;
}

/**
 * Longer lists than the support make floors rare, and old logprobs known for what the teacher adds. The
 * engine contract allows at most 64.
 */
const LIST_PER_SUPPORT = 8;
const LONGEST_LIST = 64;

/** What the rows of a sample need; null when the method can learn nothing from it. */
export function needsOf(
  settings: Pick<RowSettings, 'method' | 'topK'>,
  judged: Judged,
  without: ReadonlySet<Unusable> = ALL_USABLE,
): Needs | null {
  const terms = termsOf(settings.method, judged, without);
  if (terms === null) return null;
  const hybrid = terms.response === 'hybrid-student' || terms.response === 'hybrid-union';
  return {
    student: terms.response !== null,
    teacher: terms.taught,
    topLogprobs: hybrid && terms.taught ? listLength(settings.topK) : 0,
    rewrite: terms.demonstration,
  };
}

/** Entries of a top list that a support of `topK` is chosen from. */
export function listLength(topK: number): number {
  return Math.min(LONGEST_LIST, LIST_PER_SUPPORT * topK);
}

/**
 * The rows of one sample: none, a response row, a demonstration row, or both. With `arm: 'control'` their
 * information is destroyed by `random`. Throws `batch_invalid` when something that `needsOf` named is missing
 * or belongs to another response.
 */
export function rowsOfSample(settings: RowSettings, sample: SampleParts, random: Random): TrainRow[] {
  const terms = termsOf(settings.method, sample, sample.without);
  if (terms === null) return [];
  const rows: TrainRow[] = [];
  if (terms.response !== null && sample.responseIds.length > 0) {
    const student = present(sample.student, 'the student score');
    const teacher = terms.taught ? present(sample.teacher, 'the teacher score') : null;
    const support = supportOf(terms.response, settings, sample, student, teacher);
    const bounded = support && teacher === null ? withoutSpent(settings, sample, student, support) : support;
    if (bounded !== null) rows.push(responseRow(sample, student, bounded));
  }
  if (terms.demonstration) {
    const rewriteIds = present(sample.rewriteIds, 'the tokens of the rewrite');
    if (rewriteIds.length > 0) {
      rows.push(demonstrationRow(sample.promptIds, rewriteIds, settings.demonstrationWeight));
    }
  }
  return settings.arm === 'control' ? rows.map((row) => destroyInformation(row, random)) : rows;
}

/**
 * Only a score of -1 that nothing directs can push without end (binary-rl.ts); a gap to a teacher closes by itself.
 * Spent tokens keep their place in the mean with an advantage of 0, so that what is left is not pushed the harder.
 * Null when all are spent.
 */
function withoutSpent(
  { hyperparameters }: RowSettings,
  { score, behaviourLogprobs }: SampleParts,
  student: ScoredResponse,
  support: Support,
): Support | null {
  if (score !== -1) return support;
  const open = mayStillFall(student.logprobs, behaviourLogprobs, hyperparameters.clipLow);
  if (!open.includes(true)) return null;
  const advantages = support.advantages.map((row, t) => (open[t] ? row : row.map(() => 0)));
  return { ...support, advantages };
}

function supportOf(
  term: ResponseTerm,
  settings: RowSettings,
  sample: SampleParts,
  student: ScoredResponse,
  teacher: ScoredResponse | null,
): Support | null {
  const { responseIds, score } = sample;
  const weights = { wOpd: settings.opdWeight, wRl: settings.rlWeight };
  const onSampled = (advantages: number[] | null): Support | null =>
    advantages === null ? null : sampledSupport(responseIds, student.logprobs, advantages);
  switch (term) {
    case 'binary-rl':
      return onSampled(binaryRl(score, responseIds.length));
    case 'opd':
      return onSampled(combined(student.logprobs, teacher?.logprobs ?? null, null, weights));
    case 'combined':
      return onSampled(combined(student.logprobs, teacher?.logprobs ?? null, score, weights));
    case 'hybrid-student':
    case 'hybrid-union':
      return hybrid(responseIds, student, teacher?.top ?? null, score, {
        support: term === 'hybrid-union' ? 'union' : 'student',
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
