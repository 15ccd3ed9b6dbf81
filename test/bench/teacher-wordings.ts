/** The wordings and placements that the teacher contest compares: what a teacher is shown beside the request. */
import type { PlainMessage } from '../../agent-server/protocol/gateway.ts';
import type { ContestKind } from './teacher-tasks.ts';

export interface Shown {
  request: string;
  hint: string;
  /** What the student answered. */
  answer: string;
}

export type Wording = (shown: Shown) => PlainMessage[];

const user = (content: string): PlainMessage => ({ role: 'user', content });
const assistant = (content: string): PlainMessage => ({ role: 'assistant', content });
const system = (content: string): PlainMessage => ({ role: 'system', content });

/** What the student itself is asked: the row that every wording has to beat. */
const none: Wording = ({ request }) => [user(request)];

const FOR_REWRITES: Readonly<Record<string, Wording>> = {
  none,
  exchange: ({ request, hint }) => [user(request), assistant(hint), user(request)],
  'exchange, asked again': ({ request, hint }) => [
    user(request),
    assistant(hint),
    user(`Good. Answer in the same way again.\n\n${request}`),
  ],
  'after the request': ({ request, hint }) => [
    user(`${request}\n\nThe user rewrote your answer as follows:\n${hint}`),
  ],
  'before the request': ({ request, hint }) => [user(`Example of a good answer:\n${hint}\n\n${request}`)],
  system: ({ request, hint }) => [system(`Answer as in this example:\n${hint}`), user(request)],
  'correction after the answer': ({ request, hint, answer }) => [
    user(request),
    assistant(answer),
    user(`The right answer is:\n${hint}\n\n${request}`),
  ],
};

const FOR_WORDS: Readonly<Record<string, Wording>> = {
  none,
  'under a marker': ({ request, hint }) => [user(`${request}\n\n[Hint from the user]\n${hint}`)],
  'after the request': ({ request, hint }) => [user(`${request}\n\n${hint}`)],
  'before the request': ({ request, hint }) => [user(`${hint}\n\n${request}`)],
  'before and after': ({ request, hint }) => [user(`${hint}\n\n${request}\n\n${hint}`)],
  system: ({ request, hint }) => [system(`You are a helpful assistant. ${hint}`), user(request)],
  'second user turn': ({ request, hint }) => [user(request), user(hint)],
  'after the answer': ({ request, hint, answer }) => [user(request), assistant(answer), user(hint)],
  'after the answer, asked again': ({ request, hint, answer }) => [
    user(request),
    assistant(answer),
    user(`${hint}\n\n${request}`),
  ],
};

export const WORDINGS: Readonly<Record<ContestKind, Readonly<Record<string, Wording>>>> = {
  rewrite: FOR_REWRITES,
  test: FOR_WORDS,
  compiler: FOR_WORDS,
  review: FOR_WORDS,
};
