/** The text in what VS Code's tools give back, in whichever form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOfParts } from '../../../extension/chat/tool-parts.ts';

class TextPart {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }
}

const text = (value: string, lineBreakBefore: boolean | number = false) => ({
  type: 2,
  text: value,
  priority: 1,
  lineBreakBefore,
});
const element = (...children: unknown[]) => ({ type: 1, ctor: 2, ctorName: 'X', props: {}, children });
const data = (mimeType: string, value: string) => ({ mimeType, data: new TextEncoder().encode(value) });

test('CHAT-6: plain parts, trees of prompt-tsx and data that is text are read as one text', () => {
  const tree = {
    value: { node: element(text('one'), element(text('two', 1), text(' three')), text('four', true)) },
  };
  const parts = [
    new TextPart('first '),
    tree,
    data('text/plain', ' five'),
    data('application/json; x', ' {}'),
  ];
  assert.equal(textOfParts(parts, TextPart), 'first one\ntwo three\nfour five {}');
});

test('CHAT-6: what is no text is left out, and what is no part breaks nothing', () => {
  let deep: unknown = text('too deep');
  for (let level = 0; level < 500; level++) deep = element(deep);
  const parts = [
    data('image/png', 'x'),
    null,
    7,
    { value: {} },
    { value: { node: { type: 'x' } } },
    { value: { node: deep } },
  ];
  assert.equal(textOfParts(parts, TextPart), '');
});
