/**
 * Lessons in a prompt: earlier exchanges (request, the user's rewrite) after the system message and before the
 * conversation. There they are a prefix that every turn of a session shares, so that the engine's cache of a turn
 * serves the next one. Pure. Which lessons is lesson-search.ts; for which session, lesson-book.ts.
 */
import type { PlainMessage } from '../protocol/gateway.ts';
import type { LessonId } from '../protocol/ids.ts';
import type { Lesson } from '../store/lesson-types.ts';
import { HINT_MARKER } from './teacher-prompt.ts';

/** A lesson as it stands in a prompt; its request may have been cut. */
export interface Exchange {
  lessonId: LessonId;
  request: string;
  rewrite: string;
  hint: string | null;
  /** It stands in the prompt once or twice. */
  times: number;
}

export interface LessonBudget {
  /** Lessons in one prompt. */
  max: number;
  /** Tokens of all of them together. */
  maxTokens: number;
}

/**
 * A small model takes an example for what was said, and the same example again for how to answer: the one lesson of the
 * bench's user of reviews, shown once, carried 5 of 30 requests, shown twice 27; two lessons 26 and 30.
 */
const FEW_LESSONS = 2;
const TIMES_OF_FEW = 2;
/** What a template puts around a message: role, markers, line ends. */
const MESSAGE_OVERHEAD_TOKENS = 5;
/** Less of a request says nothing about it. */
const MIN_REQUEST_TOKENS = 24;

interface Candidate {
  lesson: Lesson;
  /** Of what is never cut: the rewrite, the hint, what the template puts around. */
  fixedTokens: number;
  /** Of the whole request. */
  requestTokens: number;
}

/**
 * The best of `ranked` that fit, in order of their ids: the order says nothing about a request, so that requests with
 * the same lessons share their prefix. A rewrite is never cut, as it is what is to be imitated; requests are, at
 * their ends, where together they are too long. How much depends on the chosen set alone and not on the ranks, so
 * that a set that is kept stays the same text. `countTokens` counts a text without special tokens.
 */
export function fitLessons(
  ranked: readonly Lesson[],
  budget: LessonBudget,
  countTokens: (text: string) => number,
): Exchange[] {
  const chosen: Candidate[] = [];
  let leftTokens = budget.maxTokens;
  for (const lesson of ranked) {
    if (chosen.length >= budget.max) break;
    const fixedTokens =
      countTokens(lesson.rewrite) + countTokens(lesson.hint ?? '') + 2 * MESSAGE_OVERHEAD_TOKENS;
    // A hint alone stands after the conversation's own request.
    const requestTokens = lesson.rewrite === '' ? 0 : countTokens(lesson.request);
    const least = fixedTokens + Math.min(requestTokens, MIN_REQUEST_TOKENS);
    if (least > leftTokens) continue;
    leftTokens -= least;
    chosen.push({ lesson, fixedTokens, requestTokens });
  }
  const limits = requestLimits(chosen, budget.maxTokens);
  const times = timesOf(chosen, budget.maxTokens);
  return chosen
    .map(({ lesson: { lessonId, request, rewrite, hint } }): Exchange => {
      const limitTokens = limits.get(lessonId) ?? 0;
      return {
        lessonId,
        request: rewrite === '' ? '' : cutToTokens(request, limitTokens, countTokens),
        rewrite,
        hint,
        times,
      };
    })
    .sort((a, b) => a.lessonId - b.lessonId);
}

/** Few exchanges stand twice where all of them fit twice. */
function timesOf(chosen: readonly Candidate[], maxTokens: number): number {
  const exchanges = chosen.filter(({ lesson }) => lesson.rewrite !== '');
  const tokens = chosen.reduce((sum, one) => sum + one.fixedTokens + one.requestTokens, 0);
  return exchanges.length <= FEW_LESSONS && tokens * TIMES_OF_FEW <= maxTokens ? TIMES_OF_FEW : 1;
}

/** The same lessons with less of them in the prompt: without the repetition, then without the oldest. */
export function fewer(exchanges: readonly Exchange[]): Exchange[] {
  if (exchanges.some(({ times }) => times > 1)) return exchanges.map((one) => ({ ...one, times: 1 }));
  return exchanges.slice(1);
}

/** Tokens that each request may take. Shared by water-filling: what a short one leaves over goes to longer ones. */
function requestLimits(chosen: readonly Candidate[], maxTokens: number): Map<LessonId, number> {
  let left = maxTokens - chosen.reduce((sum, { fixedTokens }) => sum + fixedTokens, 0);
  const limits = new Map<LessonId, number>();
  const byNeed = chosen.toSorted(
    (a, b) => a.requestTokens - b.requestTokens || a.lesson.lessonId - b.lesson.lessonId,
  );
  for (const [index, { lesson, requestTokens }] of byNeed.entries()) {
    const limit = Math.min(requestTokens, Math.floor(left / (byNeed.length - index)));
    limits.set(lesson.lessonId, limit);
    left -= limit;
  }
  return limits;
}

/**
 * The conversation with lessons in it. A hint in words stands under the marker, after the request of its own
 * exchange; one without a rewrite, after the first message of the user, which every turn of a session shares.
 */
export function withLessons(messages: readonly PlainMessage[], lessons: readonly Exchange[]): PlainMessage[] {
  const begin = messages.findIndex(({ role }) => role !== 'system');
  const start = begin < 0 ? messages.length : begin;
  const once = lessons.filter(({ rewrite }) => rewrite !== '');
  // One set after the other: what stands last weighs most, and it is not the same lesson twice.
  const again = once.filter(({ times }) => times > 1);
  const exchanges = [...once, ...again];
  const words = lessons.flatMap(({ rewrite, hint }) => (rewrite === '' && hint !== null ? [hint] : []));
  const conversation = messages.slice(start);
  const first = conversation.findIndex(({ role }) => role === 'user');
  return [
    ...messages.slice(0, start),
    ...exchanges.flatMap(({ request, rewrite, hint }): PlainMessage[] => [
      { role: 'user', content: hinted(request, hint === null ? [] : [hint]) },
      { role: 'assistant', content: rewrite },
    ]),
    ...conversation.map((message, index) =>
      index === first ? { ...message, content: hinted(message.content, words) } : message,
    ),
  ];
}

function hinted(content: string, hints: readonly string[]): string {
  return hints.length === 0 ? content : `${content}\n\n${HINT_MARKER}\n${hints.join('\n')}`;
}

/** The text, or its whole lines up to a number of tokens; of a single long line, its beginning. */
function cutToTokens(text: string, limitTokens: number, countTokens: (text: string) => number): string {
  if (countTokens(text) <= limitTokens) return text;
  const lines = text.split('\n');
  const kept: string[] = [];
  let left = limitTokens - countTokens('\n...');
  for (const line of lines) {
    const tokens = countTokens(`${line}\n`);
    if (tokens > left) break;
    kept.push(line);
    left -= tokens;
  }
  if (kept.length > 0) return [...kept, '...'].join('\n');
  // A token is at least one character.
  let end = Math.min(text.length, limitTokens * 4);
  while (end > 1 && countTokens(text.slice(0, end)) > limitTokens) end = Math.floor(end * 0.8);
  return `${text.slice(0, end)}...`;
}
