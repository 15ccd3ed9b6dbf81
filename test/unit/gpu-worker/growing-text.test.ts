/** Text that grows token by token, over a tokenizer whose tokens are single bytes: the hardest case. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowingText, ModelTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { CHAT_END_ID, fakeTokenizerFiles } from '../../fakes/tokenizer.ts';

const tokenizer = new ModelTokenizer(fakeTokenizerFiles(1_024));
const bytes = (text: string) => [...Buffer.from(text)];

test('ENGINE-15: a character is shown once all its bytes are there, and what was shown never changes', () => {
  const text = 'é😀日本 ok';
  const growing = new GrowingText(tokenizer, [], true);
  let shown = '';
  for (const byte of bytes(text)) {
    growing.push([byte]);
    assert.ok(growing.text.startsWith(shown));
    assert.ok(!growing.text.includes('\ufffd'));
    shown = growing.text;
  }
  assert.equal(growing.end(), text);
});

test('ENGINE-15: an answer cut in the middle of a character ends with U+FFFD', () => {
  const growing = new GrowingText(tokenizer, [], true);
  growing.push(bytes('ok 😀').slice(0, -1));
  assert.equal(growing.text, '');
  assert.match(growing.end(), /^ok \ufffd+$/);
});

test('ENGINE-12: what may become a stop string is held back, and shown when it does not', () => {
  const growing = new GrowingText(tokenizer, ['\n\n', 'END'], true);
  const shown = bytes('a\nbEN').map((byte) => {
    growing.push([byte]);
    return growing.text;
  });
  assert.deepEqual(shown, ['a', 'a', 'a\nb', 'a\nb', 'a\nb']);
  growing.push(bytes('D and more'));
  assert.equal(growing.matched, 'END');
  assert.equal(growing.text, 'a\nb');
  assert.equal(growing.end(), 'a\nb');
});

test('special tokens are text only where they are asked for', () => {
  const ids = [...bytes('ok'), CHAT_END_ID];
  assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), 'ok');
  assert.equal(tokenizer.decode(ids, { skipSpecialTokens: false }), 'ok<|im_end|>');
});
