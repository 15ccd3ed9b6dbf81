/** A model's replacement of a piece of text as the lines that it changes, and back: what it would have had to say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replacementOf, replaceOnce } from '../../../../extension/agent/search-replace.ts';

const TEXT = 'one\n  two three\nfour\n';

function applied(text: string, search: string, replace: string) {
  const replaced = replaceOnce(text, search, replace);
  assert.ok(replaced.kind === 'replaced', replaced.kind);
  const { lines } = replaced;
  const all = text.split('\n');
  assert.deepEqual(all.slice(lines.first, lines.first + lines.original.length), lines.original);
  all.splice(lines.first, lines.original.length, ...lines.proposed);
  assert.equal(
    all.join('\n'),
    text.replace(search, () => replace),
  );
  return lines;
}

test('AGENT-4: the lines that it touches become those that it asks for, wherever it begins and ends', () => {
  assert.deepEqual(applied(TEXT, 'two', '2'), {
    first: 1,
    original: ['  two three'],
    proposed: ['  2 three'],
    before: '  ',
    after: ' three',
  });
  assert.deepEqual(applied(TEXT, 'one\n', '1\n'), {
    first: 0,
    original: ['one'],
    proposed: ['1'],
    before: '',
    after: '\n',
  });
  applied(TEXT, '  two three\n', '');
  applied(TEXT, 'one\n  two', 'x');
  applied(TEXT, 'one', 'a\nb\nc');
  applied(TEXT, TEXT, 'all\nnew\n');
  applied(TEXT, 'four\n', 'no line end');
  applied('a$&b', '$&', '$$');
  applied('last', 'last', '');
});

test('AGENT-4: what stands there not at all, or more than once, changes nothing', () => {
  assert.deepEqual(replaceOnce(TEXT, 'five', 'x'), { kind: 'missing' });
  assert.deepEqual(replaceOnce('a a a', 'a', 'x'), { kind: 'several', count: 3 });
  assert.deepEqual(replaceOnce(TEXT, '', 'x'), { kind: 'empty' });
  assert.deepEqual(replaceOnce(TEXT, 'one', 'one'), { kind: 'same' });
});

test('AGENT-5: from the lines as the user left them comes what the call would have had to write', () => {
  const middle = applied(TEXT, 'two', '2');
  assert.equal(replacementOf(middle, ['  zwei three']), 'zwei');
  assert.equal(replacementOf(middle, ['  two', '  and three']), 'two\n  and');
  assert.equal(replacementOf(middle, ['    zwei three']), '  zwei');
  // Less than what stands around the word cannot be had by replacing it.
  assert.equal(replacementOf(middle, [' zwei three']), null);
  assert.equal(replacementOf(middle, ['  zwei drei']), null);
  assert.equal(replacementOf(middle, [' three']), null);
  assert.equal(replacementOf(applied(TEXT, 'one\n', '1\n'), ['uno', 'due']), 'uno\ndue\n');
});
