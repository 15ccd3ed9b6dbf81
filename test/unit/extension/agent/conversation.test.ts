/** A long conversation is made to fit: old results of tools first, then old exchanges, never what is at work. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitConversation } from '../../../../extension/agent/fit-conversation.ts';
import type { GatewayMessage } from '../../../../extension/chat/chat-stream.ts';

const call = (id: string): GatewayMessage => ({
  role: 'assistant',
  content: '',
  tool_calls: [{ id, type: 'function', function: { name: 'read_file', arguments: '{}' } }],
});
const result = (id: string, chars: number): GatewayMessage => ({
  role: 'tool',
  tool_call_id: id,
  content: id.repeat(chars),
});
const system: GatewayMessage = { role: 'system', content: 'You are.' };
const user = (content: string): GatewayMessage => ({ role: 'user', content });
const said = (content: string): GatewayMessage => ({ role: 'assistant', content });

test('AGENT-3: what fits stays as it is', () => {
  const messages = [system, user('hi'), call('a'), result('a', 500), said('done')];
  assert.deepEqual(fitConversation(messages, 1_000), messages);
});

test('AGENT-3: the oldest results are left out first, and the last two never', () => {
  const messages = [system, user('hi'), ...[...'abcdefgh'].flatMap((id) => [call(id), result(id, 1_000)])];
  const results = (max: number): boolean[] =>
    fitConversation(messages, max).flatMap((one) =>
      one.role === 'tool' ? [one.content.length === 1_000] : [],
    );
  const left = (count: number): boolean[] => Array.from({ length: 8 }, (_, index) => index >= count);
  assert.deepEqual(results(10_000), left(0));
  // Four at once, so that the next prompts extend this one.
  assert.deepEqual(results(7_500), left(4));
  assert.deepEqual(results(4_900), left(4));
  assert.deepEqual(results(4_100), left(6));
  assert.deepEqual(results(10), left(6));
  assert.equal(messages[3]?.content.length, 1_000);
});

test('AGENT-3: then exchanges go, whole, and the last request stays with all that follows it', () => {
  const messages = [
    system,
    user('first'.repeat(100)),
    said('x'.repeat(500)),
    user('second'),
    call('a'),
    result('a', 300),
    said('ok'),
    user('third'),
    call('b'),
    result('b', 300),
  ];
  assert.deepEqual(fitConversation(messages, 700), [system, ...messages.slice(3)]);
  assert.deepEqual(fitConversation(messages, 100), [system, ...messages.slice(7)]);
});
