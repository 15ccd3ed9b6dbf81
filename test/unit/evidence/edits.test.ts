import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { read } from './outputs.ts';

describe('EVID-14: left as it was, but for formatting, is +1 at the end; changed is -1 with the rewrite', () => {
  const edit = (text: string | null, moment = 'final', survival: number | null = null) => ({
    kind: 'user_edit',
    moment,
    text,
    survival,
  });

  for (const [what, proposal, text] of [
    ['blanks and line ends', 'function f(a,b) { return a }\n', 'function f(a, b) {\r\n  return a\r\n}'],
    ['quotes', "const a = 'x';", 'const a = "x";'],
    ['semicolons', 'a();\nb();', 'a()\nb()\n'],
    ['semicolon before a brace', 'if (a) { b(); }', 'if (a) {\n  b()\n}'],
    ['trailing commas', 'f(\n  a,\n  b,\n)', 'f(a, b)'],
    [
      'order of imports',
      "import b from 'b';\nimport a from 'a';\nrun();",
      "import a from 'a';\nimport b from 'b';\nrun();",
    ],
    [
      'order of imports in Python',
      'import sys\nfrom a import b\nx = 1',
      'from a import b\nimport sys\n\nx = 1',
    ],
    [
      'Python, other width of indentation',
      'def f(a):\n  if a:\n    return [1,2]\n',
      'def f(a):\n    if a:\n        return [\n            1,\n            2,\n        ]\n',
    ],
  ] as const) {
    it(`${what}: no correction`, () => {
      const reading = read(edit(text), { proposal });
      assert.deepEqual([reading.score, reading.rewrite], [1, null], reading.detail);
      assert.equal(read(edit(text, '30s'), { proposal }).score, null);
    });
  }

  for (const [what, proposal, text] of [
    ['a name', 'const total = 1', 'const sum = 1'],
    ['a comment', 'f() // old', 'f() // new'],
    ['text in a string', "say('a  b')", "say('a b')"],
    ['a word cut in two', 'foobar()', 'foo bar()'],
    ['a line moved out of a Python block', 'if a:\n    b()\n    c()\n', 'if a:\n    b()\nc()\n'],
    ['order of statements', 'a()\nb()', 'b()\na()'],
    ['an import that was dropped', "import a from 'a'\nimport b from 'b'", "import a from 'a'"],
  ] as const) {
    it(`${what}: a correction`, () => {
      const reading = read(edit(text), { proposal });
      assert.deepEqual([reading.score, reading.rewrite], [-1, text]);
    });
  }

  it('rejected or reverted is -1; where only survival is known, by its share', () => {
    assert.equal(read(edit('x', 'rejected'), { proposal: 'x' }).rewrite, null);
    assert.deepEqual(
      (
        [
          ['reverted', null],
          ['final', 1],
          ['final', 0.7],
          ['commit', 0.2],
          ['30s', 1],
          ['30s', 0.2],
          ['final', null],
        ] as const
      ).map(([moment, survival]) => read(edit(null, moment, survival)).score),
      [-1, 1, 0, -1, null, -1, null],
    );
  });
});

it('EVID-15: a revert or checkout of the file is -1; stash, switch, merge and a reset that keeps it are null', () => {
  const git = (action: string, survival: number | null = null) =>
    read({ kind: 'git', action, paths: ['a.ts'], survival }).score;
  assert.deepEqual([git('revert'), git('checkout_file'), git('reset', 0)], [-1, -1, -1]);
  assert.deepEqual(
    [git('stash'), git('switch'), git('merge'), git('reset'), git('reset', 1), git('checkout_file', 1)],
    [null, null, null, null, null, null],
  );
});

it('EVID-16: accepted +1, rejected -1 with its comment, edited -1 with rewrite and comment', () => {
  const review = (decision: string, comment: string | null, text: string | null) =>
    read({ kind: 'patch_review', decision, comment, text }, { proposal: "f('a');" });
  assert.equal(review('accepted', null, null).score, 1);
  const rejected = review('rejected', '  Use the\n  existing helper. ', null);
  assert.deepEqual([rejected.score, rejected.words], [-1, 'Use the existing helper.']);
  const hunk = { kind: 'patch_review', decision: 'rejected', comment: 'Too clever.', text: null };
  const one = read({ ...hunk, hunk: { index: 1, count: 3 } }, { proposal: 'f();' });
  assert.deepEqual(
    [one.score, one.words, one.detail],
    [null, 'Too clever.', 'Hunk 2 of 3 rejected in review.'],
  );
  const edited = review('edited', 'Wrong name', 'g("a")');
  assert.deepEqual([edited.score, edited.words, edited.rewrite], [-1, 'Wrong name', 'g("a")']);
  assert.deepEqual(
    [review('edited', null, 'f("a")').score, review('edited', null, 'f("a")').rewrite],
    [1, null],
  );
});
