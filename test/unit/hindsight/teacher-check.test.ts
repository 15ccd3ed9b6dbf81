import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Compared, checkTeacher } from '../../../agent-server/hindsight/teacher-check.ts';

const ids = Array.from({ length: 12 }, (_, i) => i);
const said = (text: string, finishReason: 'stop' | 'length' = 'stop'): Compared['teacher'] => ({
  responseIds: text === '' ? [] : ids,
  text,
  finishReason,
});
const words: Compared = {
  hint: { kind: 'words', source: 'test', text: "NameError: name 'add_numbers' is not defined" },
  request: 'Write a function that adds.',
  student: '```python\ndef add(a, b):\n    return a + b\n```',
  teacher: said('```python\ndef add_numbers(a, b):\n    return a + b\n```'),
  overlapShare: 0.85,
};
const rewrite: Compared = {
  hint: { kind: 'rewrite', source: 'rewrite', text: 'fix: show the right error' },
  request: 'Write the commit message.',
  student: 'Updated the login page so that it shows an error.',
  teacher: said('fix: show the error'),
  overlapShare: 0.1,
};

test('TEACH-1: a teacher shown the rewrite is better when its own answer is more like it than the student’s', () => {
  assert.equal(checkTeacher(rewrite).verdict, 'better');
  const off = checkTeacher({ ...rewrite, teacher: said('I have rewritten your answer.') });
  assert.deepEqual([off.verdict, /chrF/.test(off.detail)], ['worse', true]);
  assert.equal(checkTeacher({ ...rewrite, teacher: said(rewrite.student) }).verdict, 'worse');
  // Cut off by the bound: held against as much of the rewrite as it had room for.
  assert.equal(checkTeacher({ ...rewrite, teacher: said('fix: show', 'length') }).verdict, 'better');
});

test('TEACH-2: words are refused when the teacher says the same, recites the hint, drops the code or wanders off', () => {
  const refused = (over: Partial<Compared>) => {
    const { verdict, detail } = checkTeacher({ ...words, ...over });
    return verdict === 'worse' ? detail : verdict;
  };
  assert.match(refused({ teacher: said(`${words.student}\n`) }), /the same/);
  assert.match(refused({ teacher: said(words.student.slice(0, 20), 'length') }), /the same/);
  assert.match(
    refused({ teacher: said("You see NameError: name 'add_numbers' is not defined.\n```x```") }),
    /recites/,
  );
  assert.match(refused({ teacher: said('The function add_numbers is missing.') }), /no code/);
  assert.match(refused({ overlapShare: 0.1 }), /something else: 10 %/);
  assert.match(refused({ teacher: said('') }), /empty/);
  assert.match(refused({ teacher: { ...said('go on '), responseIds: new Array(40).fill(1) } }), /loop/);
});

test('TEACH-3: what nothing tells is unknown, and says so', () => {
  const { verdict, detail } = checkTeacher(words);
  assert.equal(verdict, 'unknown');
  assert.match(detail, /nothing tells .* 85 %/);
});
