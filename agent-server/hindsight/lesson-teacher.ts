/**
 * Is what the lessons bring about worth learning? The policy's own answer to an earlier request is held against the
 * teacher's, who has the lessons in its prompt. Pure; loops/distillation.ts has both answer.
 */
import { chrf } from '../evidence/chrf.ts';
import { type AnsweredTokens, degenerateReason } from '../learning/degenerate.ts';
import { checkTeacher, type Finding } from './teacher-check.ts';

export interface LessonComparison {
  readonly request: string;
  /** What the user wanted said to this very request; null where they never said. */
  readonly wanted: string | null;
  /** Rewrites of the lessons that the teacher had. */
  readonly rewrites: readonly string[];
  /** Greedy, without lessons. */
  readonly student: string;
  /** Greedy, with lessons. */
  readonly teacher: AnsweredTokens;
}

/**
 * Where the user's wish is known it tells, as for a rewrite (teacher-check.ts). Elsewhere the better answer is the
 * one more like the lessons' rewrites in the mean (chrF2): they are about other things, so that what they share with
 * an answer is its form.
 */
export function checkLessonTeacher(compared: LessonComparison): Finding {
  const { request, wanted, rewrites, student, teacher } = compared;
  if (wanted !== null) {
    const hint = { kind: 'rewrite', source: 'rewrite', text: wanted } as const;
    return checkTeacher({ hint, request, student, teacher, overlapShare: 1 });
  }
  const degenerate = degenerateReason(teacher);
  if (degenerate !== null) return { verdict: 'worse', detail: `With the lessons: ${degenerate}` };
  if (rewrites.length === 0)
    return { verdict: 'worse', detail: 'Nothing tells whether hints in words alone help this request.' };
  const taught = likeness(teacher.text, rewrites);
  const own = likeness(student, rewrites);
  const figures = `the likeness to the lessons (chrF) is ${taught.toFixed(0)} with them, ${own.toFixed(0)} without`;
  return taught > own
    ? { verdict: 'better', detail: `The lessons help: ${figures}.` }
    : { verdict: 'worse', detail: `The lessons change nothing for the better: ${figures}.` };
}

function likeness(answer: string, rewrites: readonly string[]): number {
  return rewrites.reduce((sum, rewrite) => sum + chrf(answer, rewrite), 0) / rewrites.length;
}
