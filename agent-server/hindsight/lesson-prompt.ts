/**
 * Lessons in a prompt: earlier exchanges (request, the user's rewrite) after the system message and before the
 * conversation. There they are a prefix that every turn of a session shares, so that the engine's cache of a turn
 * serves the next one. Pure. Which lessons is lesson-search.ts; for which session, lesson-book.ts.
 */
import type { PlainMessage } from '../protocol/gateway.ts';
import type { LessonId } from '../protocol/ids.ts';
import type { Lesson } from '../store/types.ts';
import { HINT_MARKER } from './teacher-prompt.ts';

/** A lesson as it stands in a prompt; its request may have been cut. */
export interface Exchange {
  lessonId: LessonId;
  request: string;
  rewrite: string;
  hint: string | null;
}

export interface LessonBudget {
  /** Lessons in one prompt. */
  max: number;
  /** Tokens of all of them together. */
  maxTokens: number;
}

/** What a template puts around a message: role, markers, line ends. */
const MESSAGE_OVERHEAD_TOKENS = 5;
/** Less of a request says nothing about it. */
const MIN_REQUEST_TOKENS = 24;

/**
 * The lessons that fit, by rank, in order of their ids: the order says nothing about a request, so that requests
 * with the same lessons share their prefix. A rewrite is never cut, as it is what is to be imitated; a request is,
 * at its end, to an even share of the budget. `countTokens` counts a text without special tokens.
 */
export function fitLessons(
  ranked: readonly Lesson[],
  budget: LessonBudget,
  countTokens: (text: string) => number,
): Exchange[] {
  const candidates = ranked.slice(0, budget.max);
  const chosen: Exchange[] = [];
  let leftTokens = budget.maxTokens;
  for (const [index, lesson] of candidates.entries()) {
    const share = Math.floor(leftTokens / (candidates.length - index));
    const said = countTokens(lesson.rewrite) + countTokens(lesson.hint ?? '') + 2 * MESSAGE_OVERHEAD_TOKENS;
    const request =
      lesson.rewrite === ''
        ? ''
        : cutToTokens(lesson.request, Math.max(share - said, MIN_REQUEST_TOKENS), countTokens);
    const cost = said + countTokens(request);
    if (cost > leftTokens) continue;
    leftTokens -= cost;
    const { lessonId, rewrite, hint } = lesson;
    chosen.push({ lessonId, request, rewrite, hint });
  }
  return chosen.sort((a, b) => a.lessonId - b.lessonId);
}

/**
 * The conversation with lessons in it. A hint in words stands under the marker, after the request of its own
 * exchange; one without a rewrite, after the first message of the user, which every turn of a session shares.
 */
export function withLessons(messages: readonly PlainMessage[], lessons: readonly Exchange[]): PlainMessage[] {
  const begin = messages.findIndex(({ role }) => role !== 'system');
  const start = begin < 0 ? messages.length : begin;
  const exchanges = lessons.filter(({ rewrite }) => rewrite !== '');
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
