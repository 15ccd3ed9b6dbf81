/** Which lessons serve a request, how much of them fits, and where they stand in its prompt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fewer, fitLessons, withLessons } from '../../../agent-server/hindsight/lesson-prompt.ts';
import { LessonIndex } from '../../../agent-server/hindsight/lesson-search.ts';
import type { PlainMessage } from '../../../agent-server/protocol/gateway.ts';
import { LessonId } from '../../../agent-server/protocol/ids.ts';
import type { Lesson } from '../../../agent-server/store/lesson-types.ts';
import { newTurnId, T0 } from '../../fixtures/records.ts';

const id = (n: number): LessonId => LessonId.parse(n);

function lesson(n: number, fields: Partial<Lesson> = {}): Lesson {
  return {
    lessonId: id(n),
    turnId: newTurnId(),
    kind: 'chat',
    workspace: null,
    systemOpening: '',
    request: `request ${n}`,
    rewrite: `rewrite ${n}`,
    hint: null,
    state: 'active',
    edited: false,
    createdAtMs: T0 + n,
    retiredBy: null,
    ...fields,
  };
}

const chat = { kind: 'chat', workspace: null, systemOpening: '' } as const;
const words = (text: string): number => text.split(/\s+/).filter(Boolean).length;
const ids = (lessons: readonly { lessonId: LessonId }[]) => lessons.map(({ lessonId }) => lessonId);

test('LESSON-3: the most similar requests come first, then the newest', () => {
  const index = new LessonIndex([
    lesson(3, { request: 'Translate the poem into French' }),
    lesson(2, { request: 'Review this patch of the parser' }),
    lesson(1, { request: 'Sort a list of numbers in Python' }),
  ]);
  assert.deepEqual(ids(index.best(chat, 'Reverse a list in Python', 2)), [1, 3]);
  assert.deepEqual(ids(index.best(chat, 'Please review my patch', 1)), [2]);
});

test('LESSON-4: lessons of another kind, repository or agent never serve a request', () => {
  const commits = { kind: 'commit_message', workspace: '/a', systemOpening: '' } as const;
  const index = new LessonIndex([
    lesson(3, { ...commits, workspace: '/b' }),
    lesson(2, commits),
    lesson(1, { systemOpening: 'You are another agent.' }),
  ]);
  assert.deepEqual(ids(index.best(commits, 'request', 9)), [2]);
  assert.deepEqual(ids(index.best(chat, 'request', 9)), []);
});

test('LESSON-5: lessons keep to their number and tokens; a request is cut, a rewrite never', () => {
  const long = Array.from({ length: 100 }, (_, line) => `line ${line} of the diff`).join('\n');
  const ranked = [
    lesson(7, { request: long }),
    lesson(5, { rewrite: 'word '.repeat(300) }),
    lesson(6, { request: long }),
    lesson(8),
  ];
  const fitted = fitLessons(ranked, { max: 2, maxTokens: 200 }, words);
  assert.deepEqual(ids(fitted), [6, 7], 'by id; 5 does not fit, 8 is one too many');
  const again = fitLessons(ranked.toReversed(), { max: 3, maxTokens: 200 }, words);
  const kept = again.flatMap((one) => ranked.filter(({ lessonId }) => lessonId === one.lessonId));
  assert.deepEqual(
    fitLessons(kept, { max: 3, maxTokens: 200 }, words),
    again,
    'a kept set stays the same text',
  );
  const total = fitted.reduce((sum, { request, rewrite }) => sum + words(request) + words(rewrite) + 10, 0);
  assert.ok(total <= 200, `${total} tokens`);
  for (const { request, rewrite } of fitted) {
    assert.match(rewrite, /^rewrite \d$/);
    assert.match(request, /^line 0 of the diff\nline 1 .*\n\.\.\.$/s);
  }
  const oneLine = fitLessons([lesson(1, { request: 'x'.repeat(900) })], { max: 1, maxTokens: 60 }, (text) =>
    Math.ceil(text.length / 3),
  );
  assert.ok((oneLine[0]?.request.length ?? 999) <= 3 * 60);
});

test('LESSON-6: exchanges stand after the system message, a hint under its marker, the conversation as it was', () => {
  const messages: PlainMessage[] = [
    { role: 'system', content: 'You are terse.' },
    { role: 'user', content: 'First' },
    { role: 'assistant', content: 'Answer' },
    { role: 'user', content: 'Second' },
  ];
  const exchange = {
    lessonId: id(1),
    request: 'Earlier',
    rewrite: 'As you like it',
    hint: 'No chatter.',
    times: 1,
  };
  const said = { lessonId: id(2), request: '', rewrite: '', hint: 'Name the file.', times: 1 };
  assert.deepEqual(withLessons(messages, [exchange, said]), [
    { role: 'system', content: 'You are terse.' },
    { role: 'user', content: 'Earlier\n\n[Hint from the user]\nNo chatter.' },
    { role: 'assistant', content: 'As you like it' },
    { role: 'user', content: 'First\n\n[Hint from the user]\nName the file.' },
    { role: 'assistant', content: 'Answer' },
    { role: 'user', content: 'Second' },
  ]);
  assert.deepEqual(withLessons(messages, []), messages);
});

test('LESSON-17: one or two lessons stand twice where all fits twice, and are shortened to once first', () => {
  const messages: PlainMessage[] = [{ role: 'user', content: 'Now' }];
  const said = (budget: number, ...lessons: Lesson[]) =>
    withLessons(messages, fitLessons(lessons, { max: 4, maxTokens: budget }, words)).map(
      ({ content }) => content,
    );
  const [one, two] = [
    ['request 1', 'rewrite 1'],
    ['request 2', 'rewrite 2'],
  ];
  // Two words of request and two of rewrite, and five tokens around each.
  assert.deepEqual(said(28, lesson(1)), [...one, ...one, 'Now']);
  assert.deepEqual(said(27, lesson(1)), [...one, 'Now']);
  assert.deepEqual(said(56, lesson(1), lesson(2)), [...one, ...two, ...one, ...two, 'Now']);
  assert.deepEqual(said(55, lesson(1), lesson(2)), [...one, ...two, 'Now']);
  assert.equal(said(99, lesson(1), lesson(2), lesson(3)).length, 7);
  assert.deepEqual(said(99, lesson(1, { rewrite: '', hint: 'Be brief.' })), [
    'Now\n\n[Hint from the user]\nBe brief.',
  ]);
  const twice = fitLessons([lesson(1)], { max: 4, maxTokens: 99 }, words);
  assert.deepEqual(fewer(twice), [{ ...twice[0], times: 1 }]);
  assert.deepEqual(fewer(fewer(twice)), []);
});
