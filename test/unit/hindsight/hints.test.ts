import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reading } from '../../../agent-server/evidence/reading.ts';
import {
  hintsOf,
  MAX_HINT_CHARACTERS,
  rewriteHint,
  teachingHints,
} from '../../../agent-server/hindsight/hints.ts';

const reading = (source: Reading['source'], fields: Partial<Reading> = {}): Reading => ({
  source,
  score: -1,
  rank: 1,
  detail: '',
  rewrite: null,
  words: null,
  ...fields,
});
const words = (hints: ReturnType<typeof hintsOf>) =>
  hints.filter(({ kind }) => kind === 'words').map(({ source, text }) => [source, text]);

test('HIND-3: the rewrite comes first, then the user’s words, the test’s, the compiler’s, the judge’s; three of them', () => {
  const hints = hintsOf(
    [
      reading('diagnostics', { words: 'Cannot find name "total" at line 3.' }),
      reading('test_run', { words: 'expected 4 to equal 5 in adds numbers' }),
      reading('patch_review', { rewrite: 'better', words: 'Please keep the old name.' }),
    ],
    ['Handle the empty list before the loop.'],
  );
  assert.deepEqual(hints[0], { kind: 'rewrite', source: 'rewrite', text: 'better' });
  assert.deepEqual(words(hints), [
    ['review', 'Please keep the old name.'],
    ['test', 'expected 4 to equal 5 in adds numbers'],
    ['compiler', 'Cannot find name "total" at line 3.'],
  ]);
});

test('HIND-4: the last wording of the user counts, and one that came back to the proposal takes the rewrite back', () => {
  const first = reading('user_edit', { rewrite: 'half done' });
  const unknown = reading('user_edit', { score: null });
  assert.equal(hintsOf([first, reading('commit', { rewrite: 'done' })], [])[0]?.text, 'done');
  assert.equal(hintsOf([first, unknown], [])[0]?.text, 'half done');
  assert.deepEqual(hintsOf([first, reading('commit', { score: 1 })], []), []);
  const reviewed = reading('patch_review', { rank: 180, rewrite: 'as reviewed' });
  const survived = reading('user_edit', { rank: 100, score: 1 });
  assert.equal(hintsOf([reviewed, survived], [])[0]?.text, 'as reviewed');
  assert.equal(rewriteHint(' \n'), null);
});

test('HIND-5: words have one to three sentences, over 10 characters, each once, and a bound', () => {
  const four = 'First do this now. Then do that too. Then the other. And then a fourth thing.';
  assert.deepEqual(words(hintsOf([], [four])), [
    ['judge', 'First do this now. Then do that too. Then the other.'],
  ]);
  assert.deepEqual(hintsOf([reading('test_run', { words: ' too short' })], ['Use tabs.', '']), []);
  const same = 'Name the file in the title.';
  assert.equal(hintsOf([reading('patch_review', { words: same })], [same, same]).length, 1);
  const [long] = hintsOf([reading('diagnostics', { words: 'x'.repeat(5_000) })], []);
  assert.equal(long?.text.length, MAX_HINT_CHARACTERS + 1);
  const newer = hintsOf(
    [
      reading('test_run', { words: 'expected 1, got 2 (first run)' }),
      reading('test_run', { words: 'expected 1, got 3 (second run)' }),
    ],
    [],
  );
  assert.match(newer[0]?.text ?? '', /second run/);
});

test('HIND-6: a judge’s candidate that only praises or scores is none; labels and scores are cut from the rest', () => {
  const empty = [
    'Good job!',
    'The response is correct.',
    'This answer looks really good.',
    'Score: 1/1',
    '\\boxed{-1}',
    '+1',
    'None',
    'No issues were found.',
    'No hint needed.',
    'Nothing to improve. Great work!',
  ];
  assert.deepEqual(
    empty.map((candidate) => hintsOf([], [candidate])),
    empty.map(() => []),
  );
  assert.deepEqual(
    words(
      hintsOf(
        [],
        [
          '1. Hint: Return early when the list is empty. \\boxed{-1}',
          'Good work! The function is correct only for positive numbers, so test zero.',
        ],
      ),
    ).map(([, text]) => text),
    [
      'Return early when the list is empty.',
      'The function is correct only for positive numbers, so test zero.',
    ],
  );
});

test('HIND-7: a rewrite teaches alone; words beside the turn’s other words, three at most, the sample’s own among them', () => {
  const own = { kind: 'words', text: 'what the sample was made of' } as const;
  const others = hintsOf([], ['The first other hint.', 'The second other hint.', 'The third other hint.']);
  const texts = (of: Parameters<typeof teachingHints>[0]) =>
    teachingHints(of, others).map(({ text }) => text);
  assert.deepEqual(texts({ kind: 'rewrite', text: 'better' }), ['better']);
  assert.deepEqual(texts(own), [own.text, 'The first other hint.', 'The second other hint.']);
  assert.deepEqual(
    texts({ kind: 'words', text: 'The second other hint.' }),
    others.map(({ text }) => text),
  );
});
