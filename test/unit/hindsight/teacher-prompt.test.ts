import assert from 'node:assert/strict';
import { test } from 'node:test';
import { teacherMessages } from '../../../agent-server/hindsight/teacher-prompt.ts';
import type { PlainMessage } from '../../../agent-server/protocol/gateway.ts';

const conversation: PlainMessage[] = [
  { role: 'system', content: 'S' },
  { role: 'user', content: 'old' },
  { role: 'assistant', content: 'older answer' },
  { role: 'user', content: 'ask' },
];

test('HIND-1: a rewrite is shown as an exchange before the same request', () => {
  const messages = teacherMessages(conversation, { kind: 'rewrite', source: 'rewrite', text: 'better' });
  assert.deepEqual(messages.slice(0, 4), conversation);
  assert.deepEqual(messages.slice(4), [
    { role: 'assistant', content: 'better' },
    { role: 'user', content: 'ask' },
  ]);
});

test('HIND-2: words stand after the last request, in a paragraph of their own', () => {
  const messages = teacherMessages(conversation, { kind: 'words', source: 'review', text: 'shorter please' });
  assert.deepEqual(messages.slice(0, 3), conversation.slice(0, 3));
  assert.deepEqual(messages.slice(3), [{ role: 'user', content: 'ask\n\nshorter please' }]);
});

test('without a request there is no teacher', () => {
  assert.throws(
    () => teacherMessages([{ role: 'system', content: 'S' }], { kind: 'words', source: 'judge', text: 'x' }),
    {
      code: 'invalid_request',
    },
  );
});
