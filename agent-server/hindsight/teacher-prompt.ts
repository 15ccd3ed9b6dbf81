/** The teacher's prompt: the conversation that the policy answered, with the hint in it. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage } from '../protocol/gateway.ts';
import type { HintCandidate } from '../store/types.ts';

/** Stands between the last user message and a hint in words. */
export const HINT_MARKER = '[Hint from the user]';

/**
 * The messages that the teacher answers. A rewrite: the exchange (request, rewritten answer) stands before
 * the request, which is asked again; a small model then reproduces the form, where it only talks about an
 * instruction to rewrite. Words: the last user message, the marker, the hint. What follows the last user
 * message stays. Throws `invalid_request` when no user has asked anything.
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
      const content = `${request.content}\n\n${HINT_MARKER}\n${hint.text}`;
      return [...before, { ...request, content }, ...after];
    }
  }
}
