/** Which terms of the loss a method trains of one judged turn. What each term computes is in the file of its name. */
import type { LearningConfig } from './config.ts';
import type { Score } from './scored.ts';

/** What a judge said of a turn, as far as learning is concerned. */
export interface Judged {
  readonly score: Score | null;
  readonly hint: { readonly kind: 'rewrite' | 'words' } | null;
}

/** What of a turn no term may stand on. teacher: it is no better than the student. response: it is degenerate. */
export type Unusable = 'teacher' | 'response';
export const ALL_USABLE: ReadonlySet<Unusable> = new Set();

/** A term on the policy's own response. */
export type ResponseTerm = 'binary-rl' | 'opd' | 'combined' | 'hybrid-student' | 'hybrid-union';

export interface Terms {
  readonly response: ResponseTerm | null;
  /** Does the response term distil from a teacher? Without one only its score is left. */
  readonly taught: boolean;
  /** Is the user's rewrite trained by cross-entropy? It is the user's text: a degenerate answer does not touch it. */
  readonly demonstration: boolean;
}

/** The terms of a judged turn by a method; null when the method can learn nothing from it. */
export function termsOf(
  method: LearningConfig['method'],
  { score, hint }: Judged,
  without: ReadonlySet<Unusable> = ALL_USABLE,
): Terms | null {
  const scored = score !== null && score !== 0;
  const rewritten = hint?.kind === 'rewrite';
  const { response: form, demonstration } = formOf(
    method,
    rewritten,
    hint !== null && !without.has('teacher'),
  );
  const taught = form !== null && form !== 'binary-rl' && hint !== null && !without.has('teacher');
  // opd has no term for the score; all others do with either.
  const says = form !== null && (taught || (scored && form !== 'opd'));
  const response = says && !without.has('response') ? form : null;
  if (response === null && !(demonstration && rewritten)) return null;
  return { response, taught: taught && response !== null, demonstration: demonstration && rewritten };
}

function formOf(
  method: LearningConfig['method'],
  rewritten: boolean,
  hinted: boolean,
): { response: ResponseTerm | null; demonstration: boolean } {
  switch (method) {
    case 'none':
      return { response: null, demonstration: false };
    case 'demonstration':
      return { response: null, demonstration: true };
    case 'binary-rl':
    case 'opd':
    case 'combined':
    case 'hybrid-student':
    case 'hybrid-union':
      return { response: method, demonstration: false };
    case 'hybrid-student+demonstration':
      return { response: 'hybrid-student', demonstration: true };
    case 'hybrid-union+demonstration':
      return { response: 'hybrid-union', demonstration: true };
    case 'by-kind':
      // The most that is known of the turn: the right text, else a teacher, else the score alone.
      if (rewritten) return { response: null, demonstration: true };
      return { response: hinted ? 'hybrid-union' : 'binary-rl', demonstration: false };
  }
}
