/** The request for an inline edit and the reading of its answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inlineEditAnswer } from '../../../agent-server/environment/code-block.ts';
import {
  inlineEditRequest,
  MAX_CODE_TOKENS,
  readInlineEditAnswer,
} from '../../../agent-server/environment/inline-edit.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

const words = (text: string) => text.split(/\s+/).filter(Boolean).length;
const SELECTION = {
  repositoryRoot: '/home/me/shop',
  instruction: 'Round the total.',
  language: 'javascript',
  fileName: 'total.js',
  code: '  let sum = 0;\n\n  return sum;',
  before: 'function total(prices) {',
  after: '}',
};
const stopped = (text: string) => ({ text, finishReason: 'stop' as const });
const read = (text: string, code = SELECTION.code) => readInlineEditAnswer(stopped(text), code);

test('EDIT-1: a request has the instruction first, the code without its indentation, and a little around it', () => {
  const { messages, maxNewTokens } = inlineEditRequest(SELECTION, words);
  assert.deepEqual(messages, [
    {
      role: 'system',
      content: 'You edit javascript code. Answer with the edited code alone, in one fenced block.',
    },
    {
      role: 'user',
      content: [
        'Round the total.',
        'It follows this:\n```javascript\nfunction total(prices) {\n```',
        'This follows it:\n```javascript\n}\n```',
        'Edit this code of total.js:\n```javascript\nlet sum = 0;\n\nreturn sum;\n```',
      ].join('\n\n'),
    },
  ]);
  assert.equal(maxNewTokens, 256 + 2 * words(SELECTION.code));
});

test('EDIT-1: what stands around is cut to the nearest lines; the code never is, and too much of it is refused', () => {
  const many = Array.from({ length: 500 }, (_, i) => `line ${i}`);
  const { messages } = inlineEditRequest(
    { ...SELECTION, before: many.join('\n'), after: many.join('\n') },
    words,
  );
  const shown = messages[1]?.content ?? '';
  assert.ok(shown.includes('line 440\n') && shown.includes('line 499\n```'), shown);
  assert.ok(shown.includes('```javascript\nline 0\nline 1\n') && !shown.includes('line 200'), shown);
  const code = Array.from({ length: MAX_CODE_TOKENS + 1 }, () => 'x').join('\n');
  assert.throws(() => inlineEditRequest({ ...SELECTION, code }, words), {
    code: 'invalid_request',
    remedy: 'Select fewer lines.',
  });
});

test('EDIT-1: an empty place asks for code to insert, and code with fences in it is fenced by longer ones', () => {
  const insert = inlineEditRequest({ ...SELECTION, code: '' }, words).messages[1]?.content ?? '';
  assert.match(insert, /Write the code to insert into total\.js here\.$/);
  const markdown = { ...SELECTION, language: 'markdown', code: '# A\n```js\nf();\n```' };
  assert.match(inlineEditRequest(markdown, words).messages[1]?.content ?? '', /\n````markdown\n# A\n```js\n/);
  assert.equal(read(`Here:\n${inlineEditAnswer(markdown.code, 'markdown')}`, '# B'), markdown.code);
});

test('EDIT-2: the code of an answer is its first block, as deep as the lines that it replaces', () => {
  assert.equal(
    read('Sure, here it is:\n```js\nlet sum = 1;\n\nif (sum) {\n  f();\n}\n```\nI did it.'),
    '  let sum = 1;\n\n  if (sum) {\n    f();\n  }',
  );
  // The model kept the indentation, or half of it; CRLF; never closed; tildes.
  assert.equal(read('```\r\n  a();\r\n    b();\r\n```'), '  a();\n    b();');
  assert.equal(read('```js\n\n a();\n\n'), '  a();');
  assert.equal(read('~~~\na();\n~~~', '\treturn;'), '\ta();');
  assert.equal(read('```js\n```'), '', 'all of it goes');
  assert.equal(read('```js\na();\n```', '    '), '    a();', 'into an indented empty line');
});

test('EDIT-2: code without a fence is taken as code; prose, nothing and half an answer are refused', () => {
  assert.equal(
    read('// Sums all prices.\nconst sum = add(prices);'),
    '  // Sums all prices.\n  const sum = add(prices);',
  );
  for (const answer of ['', ' \n', 'I cannot do that.', 'To round it:\n\nUse Math.round.'])
    assert.throws(
      () => read(answer),
      (error) => error instanceof ApprenticeError && error.code === 'answer_unusable',
      answer,
    );
  assert.throws(
    () => readInlineEditAnswer({ text: '```\na();\n```', finishReason: 'length' }, 'a();'),
    /cut off/,
  );
});

test('EDIT-2: what the user made of an answer, said as an answer, reads back as the same code', () => {
  for (const code of ['  a();\n\n    b(`c`);', 'x', '\t\tif (a) {\n\t\t\tb();\n\t\t}', ''])
    assert.equal(read(inlineEditAnswer(code, 'typescript'), code), code);
});
