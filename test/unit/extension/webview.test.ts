/** The panel's arithmetic: the curve, the comparison of two texts, words about time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerGroup } from '../../../agent-server/protocol/data.ts';
import { CurvePoint } from '../../../agent-server/protocol/panel.ts';
import { groupRows } from '../../../extension/webview/answer-groups.ts';
import { acceptedShares } from '../../../extension/webview/curve.ts';
import { bytes, count, timeAgo } from '../../../extension/webview/format.ts';
import { wordDiff } from '../../../extension/webview/word-diff.ts';

const point = (version: number, accepted: boolean) =>
  CurvePoint.parse({
    turnId: crypto.randomUUID(),
    at: '2026-01-01T00:00:00Z',
    version: `policy@v${version}`,
    accepted,
  });

test('PANEL-1: the curve is the share accepted among the last answers, and marks where a version begins', () => {
  const shares = acceptedShares([point(0, false), point(0, true), point(1, true), point(1, true)], 2);
  assert.deepEqual(
    shares.map(({ share }) => share),
    [0, 0.5, 1, 1],
  );
  assert.deepEqual(
    shares.map(({ versionBegins }) => versionBegins),
    [true, false, true, false],
  );
});

test('PANEL-2: a comparison gives both texts back and keeps what they share', () => {
  const before = 'Updated the parser\n\nfor empty input';
  const after = 'fix(parser): empty input\naccepted';
  const parts = wordDiff(before, after);
  const side = (dropped: string) =>
    parts
      .filter(({ kind }) => kind !== dropped)
      .map(({ text }) => text)
      .join('');
  assert.equal(side('added'), before);
  assert.equal(side('removed'), after);
  assert.ok(parts.some(({ kind, text }) => kind === 'same' && text.includes('empty input')));
});

test('PANEL-2: texts too long to compare are shown whole', () => {
  const long = 'word '.repeat(500);
  assert.deepEqual(wordDiff(long, 'short'), [
    { kind: 'removed', text: long },
    { kind: 'added', text: 'short' },
  ]);
});

test('PANEL-3: time is told in the largest whole unit', () => {
  const now = new Date('2026-01-02T12:00:00Z');
  assert.equal(timeAgo('2026-01-02T11:59:30Z', now), 'just now');
  assert.equal(timeAgo('2026-01-02T11:58:00Z', now), '2 minutes ago');
  assert.equal(timeAgo('2026-01-02T09:10:00Z', now), '2 hours ago');
  assert.equal(timeAgo('2026-01-01T11:00:00Z', now), 'yesterday');
});

test('a count of one is said in the singular', () => {
  assert.deepEqual(
    [0, 1, 2].map((n) => count(n, 'sample')),
    ['0 samples', '1 sample', '2 samples'],
  );
});

test('a size is told in the unit that leaves one to three digits', () => {
  assert.deepEqual([0, 999, 1_500, 123_456_789, 4e12].map(bytes), [
    '0 B',
    '999 B',
    '1.5 KB',
    '123 MB',
    '4.0 TB',
  ]);
});

test('PANEL-10: groups add up over versions of a week and over weeks of a version, newest first', () => {
  const group = (week: string, version: string, answers: number, accepted: number, edits = 0, survival = 0) =>
    AnswerGroup.parse({ week, version, answers, accepted, corrections: answers - accepted, edits, survival });
  const groups = [
    group('2026-01-05', 'policy@v9', 4, 1),
    group('2026-01-05', 'policy@v10', 4, 3, 2, 1.5),
    group('2026-01-12', 'policy@v10', 1, 1),
  ];
  assert.deepEqual(
    groupRows(groups, 'week').map((row) => [row.key, row.answers, row.accepted, row.survival, row.versions]),
    [
      ['2026-01-12', 1, 1, null, 'v10'],
      ['2026-01-05', 8, 0.5, 0.75, 'v9 to v10'],
    ],
  );
  assert.deepEqual(
    groupRows(groups, 'version').map((row) => [row.key, row.answers, row.correctionsPerAnswer]),
    [
      ['policy@v10', 5, 0.2],
      ['policy@v9', 4, 0.75],
    ],
  );
});
