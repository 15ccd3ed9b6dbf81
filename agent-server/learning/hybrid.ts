/**
 * Hybrid: distillation over a small support of tokens at each response position, plus the score on the token
 * that was sampled. `student` is the published form; `union` adds the teacher's own favourites, so that it
 * can raise a token that the policy would never have tried.
 *
 *   A_v = w_opd * clip(log pi_T(v) - log pi_old(v), -C, C) * w_v     for v in the support of position t
 *   A   = w_rl * r                                                   for the sampled token, when r is not 0
 *
 * support: `student` the top k of pi_old, w = softmax of log pi_old over it;
 *          `union`   the top k of pi_old, then those of the teacher's top k that are not among them,
 *                    w_v proportional to (pi_old(v) + pi_T(v)) / 2 over it.
 * An id outside a returned list counts with that list's smallest logprob in gaps and weights. As an old
 * logprob it is NaN (unknown), never the floor: a floor would make rho vanish for just the tokens that the
 * teacher wants raised.
 */
import { ApprenticeError } from '../protocol/errors.ts';
import { type Support, sameLength } from './rows.ts';
import { floorOf, listed, type Score, type ScoredResponse, type TopList, topIds } from './scored.ts';

export interface HybridSettings {
  readonly support: 'student' | 'union';
  readonly k: number;
  /** C, in nats. */
  readonly gapClip: number;
  readonly wOpd: number;
  readonly wRl: number;
}

/** How far two models' top k agree over a response: sum over positions of |top-k(old) and top-k(teacher)|. */
export function overlap(old: readonly TopList[], teacher: readonly TopList[], k: number): number {
  sameLength('teacher positions', teacher.length, old.length);
  let shared = 0;
  for (const [t, list] of old.entries()) {
    const teachers = new Set(topIds(teacher[t] ?? [], k));
    shared += topIds(list, k).filter((id) => teachers.has(id)).length;
  }
  return shared;
}

/** Indices of the hints, the largest overlap first, in the given order among equals. */
export function hintOrder(overlaps: readonly number[]): number[] {
  return overlaps.map((_, index) => index).sort((a, b) => (overlaps[b] ?? 0) - (overlaps[a] ?? 0));
}

/** Index of the hint to use: the largest overlap, the first among equals. Null when there is none. */
export function chooseHint(overlaps: readonly number[]): number | null {
  return hintOrder(overlaps)[0] ?? null;
}

/**
 * The support of R response positions. `teacherTop` null: no hint, only the score teaches; then without a
 * score there is no sample and the answer is null.
 */
export function hybrid(
  responseIds: readonly number[],
  student: ScoredResponse,
  teacherTop: readonly TopList[] | null,
  score: Score | null,
  settings: HybridSettings,
): Support | null {
  sameLength('student logprobs', student.logprobs.length, responseIds.length);
  const r = score ?? 0;
  if (teacherTop === null && r === 0) return null;
  if (teacherTop !== null) {
    sameLength('student positions', student.top.length, responseIds.length);
    sameLength('teacher positions', teacherTop.length, responseIds.length);
  }
  if (settings.k < 1)
    throw new ApprenticeError('invalid_request', 'The support needs k >= 1.', 'Raise topK.');
  const support: Support = { ids: [], logprobs: [], advantages: [] };
  for (const [t, sampled] of responseIds.entries()) {
    const row =
      teacherTop === null
        ? { ids: [], logprobs: [], advantages: [] }
        : distil(student.top[t] ?? [], teacherTop[t] ?? [], settings);
    if (r !== 0) {
      row.ids.push(sampled);
      row.logprobs.push(student.logprobs[t] ?? Number.NaN);
      row.advantages.push(settings.wRl * r);
    }
    support.ids.push(row.ids);
    support.logprobs.push(row.logprobs);
    support.advantages.push(row.advantages);
  }
  return support;
}

interface Position {
  ids: number[];
  logprobs: number[];
  advantages: number[];
}

/** One position. A model that returned no list there says nothing: then the position has no support. */
function distil(old: TopList, teacher: TopList, { support, k, gapClip, wOpd }: HybridSettings): Position {
  if (old.length === 0 || teacher.length === 0) return { ids: [], logprobs: [], advantages: [] };
  const students = topIds(old, k);
  const ids = support === 'student' ? students : [...new Set([...students, ...topIds(teacher, k)])];
  const oldFloor = floorOf(old);
  const teacherFloor = floorOf(teacher);
  const terms = ids.map((id) => ({
    known: listed(old, id),
    old: listed(old, id) ?? oldFloor,
    teacher: listed(teacher, id) ?? teacherFloor,
  }));
  const masses = terms.map((term) =>
    support === 'student' ? Math.exp(term.old) : (Math.exp(term.old) + Math.exp(term.teacher)) / 2,
  );
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return {
    ids,
    logprobs: terms.map((term) => term.known ?? Number.NaN),
    advantages: terms.map((term, j) => {
      const gap = Math.min(Math.max(term.teacher - term.old, -gapClip), gapClip);
      return (wOpd * gap * (masses[j] ?? 0)) / total;
    }),
  };
}
