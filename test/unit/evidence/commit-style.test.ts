import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chrf } from '../../../agent-server/evidence/chrf.ts';
import { commitFeatures } from '../../../agent-server/evidence/commit-features.ts';
import { conventionMatch, learnStyle } from '../../../agent-server/evidence/commit-style.ts';

const AUTHOR = [
  'fix(parser): handle empty input',
  'feat(cli): add a flag for json',
  'docs(readme): explain the setup',
  'fix(store): close the file',
  'test(cli): cover the exit codes',
];
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}`);

test('STYLE-1: a feature is a convention when four in five of the messages share it', () => {
  assert.deepEqual(learnStyle(AUTHOR), {
    typePrefix: 'type',
    scope: true,
    case: 'lower',
    finalPeriod: false,
    oneLine: true,
    length: { min: 26, max: 31 },
  });
  const mixed = learnStyle([...AUTHOR.slice(0, 3), 'Close the file.', 'Cover the exit codes.']);
  assert.deepEqual([mixed.typePrefix, mixed.scope, mixed.case, mixed.finalPeriod], [null, null, null, null]);
  assert.deepEqual(conventionMatch(learnStyle([]), 'fix: x'), { features: {}, share: 0 });
});

test('STYLE-2: a message is matched feature by feature', () => {
  const style = learnStyle(AUTHOR);
  assert.equal(conventionMatch(style, 'fix(lexer): accept a final comma').features.length, false);
  assert.equal(conventionMatch(style, 'fix(lexer): accept a comma').share, 1);
  assert.deepEqual(conventionMatch(style, 'Fix the lexer so that it ends.').features, {
    typePrefix: false,
    scope: false,
    case: false,
    finalPeriod: false,
    body: true,
    length: true,
  });
  near(conventionMatch(style, 'fix: accept one more comma\n\nIt was refused.').share, 4 / 6);
});

test('STYLE-3: what is no commit message shares nothing, not even by accident', () => {
  const style = learnStyle(AUTHOR);
  for (const text of [
    '',
    ' \n ',
    '...',
    '```\nfix(lexer): accept a comma\n```',
    'fix(lexer): accept\n\n```diff\n+ a\n```',
    '"fix(lexer): accept a comma"',
    '`fix(lexer): accept a comma`.',
    '"fix(lexer): accept a comma',
    '"fix(lexer): accept a comma"\n\nThis fixes it.',
    'Commit message: fix(lexer): accept',
    'Subject: fix(lexer): accept it',
    '# fix(lexer): accept a comma',
    '**fix(lexer)**: accept a comma',
    '- fix(lexer): accept a comma',
    'Here is the commit message:',
    'Sure! fix(lexer): accept it',
    "I've changed the lexer a bit",
    'This commit changes the lexer',
    'diff --git a/lexer b/lexer',
  ]) {
    assert.equal(conventionMatch(style, text).share, 0, JSON.stringify(text));
  }
});

test('an author’s plain sentences are messages, whatever they speak of', () => {
  for (const text of [
    'The diff is cut to a token budget',
    'Commits say what is true',
    'Note the version in the lineage: it decides',
    '"npm start" replays a history',
    '#12 close the file',
    'Sure-fire retries are bounded',
  ]) {
    assert.ok(commitFeatures(text), text);
  }
});

test('subjects are told by how they begin', () => {
  const forms = {
    'fix!: drop it': 'type',
    'feat(api)!: drop it': 'type',
    'net/http: close the body': 'component',
    'parser, lexer: agree': 'component',
    '[BUILD] pin it': 'tag',
    'ABC-12: pin it': 'ticket',
    '#12 pin it': 'ticket',
    ':bug: pin it': 'emoji',
    '🐛 pin it': 'emoji',
    'Pin it': 'none',
    'Pin it: it moved': 'none',
    'https://a.b/c is gone': 'none',
  };
  for (const [subject, form] of Object.entries(forms))
    assert.equal(commitFeatures(subject)?.prefix, form, subject);
});

test('STYLE-4: chrF is sacreBLEU’s chrF2', () => {
  // "ab" against "abc": P = (2/2 + 1/1)/2 = 1, R = (2/3 + 1/2)/2 = 7/12, F = 5PR/(4P + R) = 7/11.
  near(chrf('ab', 'abc'), 700 / 11);
  near(chrf('abc', 'ab'), (100 * 5 * (7 / 12)) / (4 * (7 / 12) + 1));
  // Counts are clipped: "aaa" shares one "a" with "ab", and no bigram.
  near(chrf('aaa', 'ab'), (100 * 5 * (1 / 6) * (1 / 4)) / (4 * (1 / 6) + 1 / 4));
  assert.equal(chrf('fix: a b', 'fix:ab'), 100);
  assert.equal(chrf('', 'abc'), 0);
  assert.equal(chrf('xyz', 'abc'), 0);
});
