/** The panel's arithmetic: the curve, the comparison of two texts, words about time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerGroup } from '../../../agent-server/protocol/data.ts';
import { CurvePoint } from '../../../agent-server/protocol/panel.ts';
import { Comparison } from '../../../agent-server/protocol/promotion.ts';
import { groupRows } from '../../../extension/webview/answer-groups.ts';
import { acceptedShares } from '../../../extension/webview/curve.ts';
import { bytes, duration, learntFrom, timeAgo } from '../../../extension/webview/format.ts';
import { bands, points, wilson } from '../../../extension/webview/group-curve.ts';
import { beginOf, dayOf, endOf, lastDayOf } from '../../../extension/webview/local-day.ts';
import { wordDiff } from '../../../extension/webview/word-diff.ts';

const group = (week: string, version: string, answers: number, accepted: number, edits = 0, survival = 0) => {
  const corrections = answers - accepted;
  const likened = { likened: accepted, likeness: 100 * accepted };
  return AnswerGroup.parse({ week, version, answers, accepted, corrections, edits, survival, ...likened });
};

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
  const told = (sampleCount: number, requestCount = 0) => learntFrom({ sampleCount, requestCount });
  assert.deepEqual(
    [told(0), told(1), told(2), told(0, 1), told(0, 3)],
    ['0 samples', '1 sample', '2 samples', 'lessons on 1 request', 'lessons on 3 requests'],
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

const compared = (arms: readonly (readonly ['base' | 'control', number])[]) =>
  Comparison.parse({
    at: '2026-01-20T00:00:00Z',
    report: {
      splitAt: '2026-01-10T00:00:00Z',
      version: 'policy@v1',
      lessons: 2,
      corrected: 3,
      accepted: 1,
      answered: 4,
      seconds: 60,
      arms: arms.map(([arm, chrf]) => ({
        arm,
        version: 'policy@v0',
        turns: 4,
        logprob: -2,
        correctedLogprob: null,
        versusBase: null,
        chrf,
        chrfInterval: { low: chrf - 10, high: chrf + 10 },
      })),
    },
  });

test('PANEL-13: a point a group, oldest first, and a mark where versions answer for the first time', () => {
  const groups = [
    group('2026-01-05', 'policy@v0', 4, 1),
    group('2026-01-12', 'policy@v0', 1, 1),
    group('2026-01-12', 'policy@v2', 2, 1),
    group('2026-01-12', 'policy@v10', 1, 1),
    group('2026-01-19', 'policy@v10', 2, 2, 2, 1.5),
  ];
  assert.deepEqual(
    points(groups, 'week', 'accepted').map(({ key, value, begins }) => [key, value, begins]),
    [
      ['2026-01-05', 0.25, 'base'],
      ['2026-01-12', 0.75, 'v2–v10'],
      ['2026-01-19', 1, ''],
    ],
  );
  assert.deepEqual(
    points(groups, 'version', 'survival').map(({ key, value }) => [key, value]),
    [['policy@v10', 0.75]],
    'what is not known has no point',
  );
});

test('PANEL-13: bands are of what was measured: the base in use, and the arms of a comparison', () => {
  const groups = [group('2026-01-05', 'policy@v0', 4, 1), group('2026-01-12', 'policy@v1', 4, 4)];
  const [base, ...none] = bands(groups, undefined, 'accepted');
  assert.deepEqual([base?.of, base?.mean, base?.answers, none], ['base', 0.25, 4, []]);
  assert.ok(base?.spread && base.spread.low > 0.05 && base.spread.high < 0.6, JSON.stringify(base));
  assert.equal(bands(groups, undefined, 'corrections')[0]?.spread, null);
  assert.deepEqual(bands(groups, undefined, 'likeness'), []);
  assert.deepEqual(bands(groups.slice(1), undefined, 'accepted'), [], 'the base never answered');
  const both = compared([
    ['base', 40],
    ['control', 30],
  ]);
  assert.deepEqual(bands(groups, both, 'likeness'), [
    { of: 'base', mean: 0.4, spread: { low: 0.3, high: 0.5 }, answers: 4 },
    { of: 'control', mean: 0.3, spread: { low: 0.2, high: 0.4 }, answers: 4 },
  ]);
  assert.deepEqual(
    bands(groups, compared([['base', 40]]), 'likeness').map(({ of }) => of),
    ['base'],
  );
});

test('PANEL-13: with few answers the interval of a share is wide, and stays between 0 and 1', () => {
  const [one, many] = [wilson(1, 1), wilson(0.5, 1_000)];
  assert.ok(one.low < 0.5 && one.high === 1);
  assert.ok(many.high - many.low < 0.05);
});

test('PANEL-5: a day begins and ends at the user’s own midnight', () => {
  const [begin, end] = [beginOf('2026-03-29'), endOf('2026-03-29')];
  assert.ok(begin !== null && end !== null);
  assert.deepEqual([new Date(begin).getHours(), new Date(begin).getDate()], [0, 29]);
  assert.deepEqual([new Date(end).getHours(), new Date(end).getDate()], [0, 30]);
  assert.deepEqual([dayOf(begin), lastDayOf(end), dayOf(null)], ['2026-03-29', '2026-03-29', '']);
  assert.deepEqual([beginOf(''), endOf('no day')], [null, null]);
});

test('a length of time is told in seconds or minutes', () => {
  assert.deepEqual([0.2, 42, 100, 250].map(duration), ['1 s', '42 s', '2 min', '4 min']);
});
