/** REPLAY-5: the result is told by the author's own conventions, and shown without obeying any text in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportHtml } from '../../../agent-server/environment/replay/report-html.ts';
import { reportText } from '../../../agent-server/environment/replay/report-text.ts';
import { resultOf } from './result-of.ts';

const training: [string, string][] = [
  ['fix(parser): handle empty input', 'This change handles empty input.'],
  ['feat(slug): add slugify', 'Add slugify function.\n\n- it slugs'],
  ['docs(readme): add an example', 'docs(readme): add an example'],
  ['test(wrap): cover long words', 'test(wrap): cover words'],
];
const heldOut = [
  {
    real: 'fix(cli): exit with an error',
    before: 'Exit with an error.',
    after: 'fix(cli): exit with an error',
  },
  {
    real: 'feat(cache): add a clear method',
    before: '<script>alert(1)</script>\u001b[31m',
    after: 'feat(cache): add a clear method',
  },
];

test("REPLAY-5 convention match is the share of the training author's conventions, before and after", () => {
  const { heldOut: numbers, style, commits, test: held } = resultOf({ training, heldOut });
  assert.deepEqual([commits, held], [4, 2]);
  assert.equal(style.typePrefix, 'type');
  assert.equal(numbers.after, 1);
  assert.equal(numbers.chrfAfter, 100);
  assert.equal(numbers.control, null);
  assert.ok(numbers.before < 0.5, `${numbers.before}`);
  assert.ok(numbers.chrfBefore > 0 && numbers.chrfBefore < 60, `${numbers.chrfBefore}`);
  assert.deepEqual(
    numbers.features.filter(({ feature }) => feature === 'typePrefix'),
    [{ feature: 'typePrefix', before: 0, after: 1, control: null }],
  );
});

test('REPLAY-5 a convention that only held-out commits show is none', () => {
  const shouting = heldOut.map((row) => ({ ...row, real: 'SHOUT EVERYTHING!' }));
  assert.deepEqual(resultOf({ training, heldOut: shouting }).style, resultOf({ training, heldOut }).style);
});

test('the control arm stands beside the others', () => {
  const result = resultOf({ training, heldOut: heldOut.map((row) => ({ ...row, control: row.before })) });
  assert.equal(result.heldOut.control, result.heldOut.before);
  assert.equal(result.versionsControl, 8);
  assert.match(reportText(result, 100), /convention match .*control|control/);
  assert.match(reportHtml(result, new Date(0)), /<th scope="col">Control<\/th>/);
});

test('REPLAY-6 text from repository and model is escaped, and control characters reach no terminal', () => {
  const result = resultOf({ training, heldOut });
  const html = reportHtml(result, new Date(0));
  assert.ok(!html.includes('<script'));
  assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
  assert.ok(!html.includes('<b>tidytext'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  assert.doesNotMatch(html, /[\u0000-\u0008\u000b-\u001f]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  assert.doesNotMatch(reportText(result, 100), /[\u0000-\u0009\u000b-\u001f]/);
  assert.doesNotMatch(html, /(src|href)=/);
});

test('six examples are taken at even distances', () => {
  const many = Array.from({ length: 12 }, (_, index) => ({
    real: `fix(a): ${index}`,
    before: '',
    after: '',
  }));
  assert.deepEqual(
    resultOf({ training, heldOut: many }).examples.map(({ real }) => real),
    [0, 2, 4, 6, 8, 10].map((index) => `fix(a): ${index}`),
  );
});
