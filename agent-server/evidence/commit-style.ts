/**
 * An author's conventions for commit messages, learnt from their own messages, and how many of them another
 * message shares. Only the messages that were learnt from may be shown here, never the ones held out.
 */
import { type CommitFeatures, commitFeatures, type PrefixForm } from './commit-features.ts';

export type StyleFeature = 'typePrefix' | 'scope' | 'case' | 'finalPeriod' | 'body' | 'length';

/** Null: the author has no convention there. */
export interface CommitStyle {
  typePrefix: PrefixForm | null;
  /** Only where the prefix is a type: are scopes written? */
  scope: boolean | null;
  case: 'lower' | 'upper' | null;
  finalPeriod: boolean | null;
  oneLine: boolean | null;
  /** Usual length of the subject in characters, both ends included. */
  length: { min: number; max: number } | null;
}

export interface ConventionMatch {
  /** One entry for each convention of the author. */
  features: Partial<Record<StyleFeature, boolean>>;
  /** Share of the author's conventions that the message has, 0 to 1; 0 when the author has none. */
  share: number;
}

/** A feature is a convention when at least this share of the messages has it. */
const CONVENTION = 0.8;
/** The usual length leaves out the shortest and the longest twentieth. */
const TAIL = 0.05;

export function learnStyle(messages: readonly string[]): CommitStyle {
  const seen = messages.map(commitFeatures).filter((features) => features !== null);
  const typePrefix = convention(seen, (one) => one.prefix);
  const lengths = seen.map((one) => one.subjectChars).sort((a, b) => a - b);
  const tail = Math.floor(TAIL * lengths.length);
  const [min, max] = [lengths[tail], lengths[lengths.length - 1 - tail]];
  return {
    typePrefix,
    scope: typePrefix === 'type' ? convention(seen, (one) => one.scoped) : null,
    case: convention(seen, (one) => (one.firstWord === 'none' ? null : one.firstWord)),
    finalPeriod: convention(seen, (one) => one.finalPeriod),
    oneLine: convention(seen, (one) => one.oneLine),
    length: min === undefined || max === undefined ? null : { min, max },
  };
}

/** Which of the author's conventions a message has. A text that is no commit message has none of them. */
export function conventionMatch(style: CommitStyle, message: string): ConventionMatch {
  const has = commitFeatures(message);
  const features: Partial<Record<StyleFeature, boolean>> = {};
  const { length } = style;
  if (style.typePrefix !== null) features.typePrefix = has?.prefix === style.typePrefix;
  if (style.scope !== null) features.scope = has?.scoped === style.scope;
  if (style.case !== null) features.case = has?.firstWord === style.case;
  if (style.finalPeriod !== null) features.finalPeriod = has?.finalPeriod === style.finalPeriod;
  if (style.oneLine !== null) features.body = has?.oneLine === style.oneLine;
  if (length !== null) {
    features.length = has !== null && has.subjectChars >= length.min && has.subjectChars <= length.max;
  }
  const results = Object.values(features);
  const share = results.length === 0 ? 0 : results.filter(Boolean).length / results.length;
  return { features, share };
}

/** The value that enough of the messages share. Null values are no candidates but count among the messages. */
function convention<T>(seen: readonly CommitFeatures[], read: (one: CommitFeatures) => T | null): T | null {
  const counts = new Map<T, number>();
  for (const one of seen) {
    const value = read(one);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  for (const [value, count] of counts) if (count >= CONVENTION * seen.length) return value;
  return null;
}
