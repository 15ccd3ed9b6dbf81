/**
 * Is a teacher worth distilling from? It answers once itself, and its answer is held against the student's. Pure;
 * loops/teacher-choice.ts has it answer. A model that does not follow hints talks about them instead, and whoever
 * distils from it learns to.
 */
import { chrf } from '../evidence/chrf.ts';
import { type AnsweredTokens, degenerateReason } from '../learning/degenerate.ts';
import type { HintCandidate, TeacherCheck } from '../store/types.ts';

/** This many of the hint's words in a row, in the hint's own order, are a recital of it. */
export const RECITED_WORDS = 8;
/**
 * Share of the student's top k that are among the teacher's, over the student's own answer. It lay between 0.65 and 0.92
 * for every wording tried (test/bench/results, teacher-contest); far below that the teacher answers something else,
 * and every gap is that something.
 */
export const MIN_OVERLAP_SHARE = 0.4;

export interface Compared {
  readonly hint: HintCandidate;
  readonly request: string;
  readonly student: string;
  /** Greedy, and perhaps cut off by the bound on its length: that alone is no fault. */
  readonly teacher: AnsweredTokens;
  readonly overlapShare: number;
}

export type Finding = Pick<TeacherCheck, 'verdict' | 'detail'>;

/**
 * A rewrite tells: the better answer is the one more like it (chrF2). Words do not: then a teacher is refused that
 * answers nothing new, recites the hint, drops the code that was asked for, or answers something else; past that,
 * nothing in the texts tells, and the finding is `unknown`.
 */
export function checkTeacher(compared: Compared): Finding {
  const { hint, teacher } = compared;
  const degenerate = degenerateReason({ ...teacher, finishReason: 'stop' });
  if (degenerate !== null) return worse(`With the hint: ${degenerate}`);
  return hint.kind === 'rewrite' ? againstRewrite(compared) : againstWords(compared);
}

function againstRewrite({ hint, student, teacher }: Compared): Finding {
  // An answer that was cut off is held against as much of the other texts.
  const length = teacher.finishReason === 'stop' ? undefined : teacher.text.length;
  const rewrite = hint.text.slice(0, length);
  const taught = chrf(teacher.text, rewrite);
  const own = chrf(student.slice(0, length), rewrite);
  const figures = `the likeness to the rewrite (chrF) is ${taught.toFixed(0)} with the hint, ${own.toFixed(0)} without`;
  return taught > own
    ? { verdict: 'better', detail: `The hint helps: ${figures}.` }
    : worse(`The hint does not help: ${figures}.`);
}

function againstWords({ hint, request, student, teacher, overlapShare }: Compared): Finding {
  const answer = plain(teacher.text);
  const own = plain(student);
  // A bound cuts the teacher and not the student: a beginning of the same answer is the same answer.
  const same = teacher.finishReason === 'stop' ? answer === own : own.startsWith(answer);
  if (same) return worse('With the hint the answer is the same.');
  if (recites(answer, plain(hint.text), plain(request)))
    return worse('With the hint the answer only recites the hint.');
  if (ABOUT_CODE.has(hint.source) && hasCode(student) && !hasCode(teacher.text))
    return worse('With the hint the answer has no code any more.');
  if (overlapShare < MIN_OVERLAP_SHARE)
    return worse(
      `With the hint it answers something else: ${percent(overlapShare)} of its likely words are shared.`,
    );
  return {
    verdict: 'unknown',
    detail: `The answer with the hint is another; nothing tells whether it is better. ${percent(overlapShare)} of the likely words are shared.`,
  };
}

const ABOUT_CODE: ReadonlySet<HintCandidate['source']> = new Set(['test', 'compiler']);

function worse(detail: string): Finding {
  return { verdict: 'worse', detail };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/gu, ' ').trim();
}

function hasCode(text: string): boolean {
  return text.includes('```');
}

/** Does the answer hold a run of the hint's words that the request did not have already? A short hint: all of it. */
function recites(answer: string, hint: string, request: string): boolean {
  const words = hint.split(' ');
  const length = Math.min(RECITED_WORDS, words.length);
  for (let start = 0; start + length <= words.length; start += 1) {
    const run = words.slice(start, start + length).join(' ');
    if (answer.includes(run) && !request.includes(run)) return true;
  }
  return false;
}
