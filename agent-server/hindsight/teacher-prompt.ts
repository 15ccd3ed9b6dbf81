/** The teacher's prompt: the conversation that the policy answered, with the hint in it. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage } from '../protocol/gateway.ts';
import type { HintCandidate } from '../store/types.ts';

/** Stands between a request and a hint in words that is shown with an earlier exchange (lesson-prompt.ts). */
export const HINT_MARKER = '[Hint from the user]';

/**
 * The messages that the teacher answers; what follows the last user message stays. Throws `invalid_request` when no
 * user has asked anything.
 *
 * Both placements won a contest (test/bench/teacher-contest.ts; results/teacher-contest-2026-11-22.json), counted in
 * answers of the default model that took the hint up:
 * - A rewrite: the exchange (request, rewritten answer) before the request, which is asked again: 6 of 6. Told in words
 *   around the request, in the system message or after its own answer, the model talks about the rewrite: 0 of 6.
 * - Words: after the request, in a paragraph of their own: 12 of 30 (tests 3, compilers 5, reviews 4 of 10; without the
 *   hint 0). Under a marker or as a second user turn 10, before and after 9, before the request 7, after the student's
 *   own answer 6, in the system message 4. The first three are within chance of each other; the rest are not close.
 */
export function teacherMessages(messages: readonly PlainMessage[], hint: HintCandidate): PlainMessage[] {
  const last = messages.findLastIndex((message) => message.role === 'user');
  const request = messages[last];
  if (request === undefined) {
    throw new ApprenticeError(
      'invalid_request',
      'A conversation without a user message has no teacher prompt.',
      'Send at least one user message.',
    );
  }
  const before = messages.slice(0, last);
  const after = messages.slice(last + 1);
  switch (hint.kind) {
    case 'rewrite':
      return [...before, request, { role: 'assistant', content: hint.text }, request, ...after];
    case 'words': {
      const content = `${request.content}\n\n${hint.text}`;
      return [...before, { ...request, content }, ...after];
    }
  }
}
