import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RANK, type Reading } from '../../../agent-server/evidence/reading.ts';
import { type Observed, sampleOf, settle, wantsVotes } from '../../../agent-server/judge/settle.ts';
import { ObservationId, SampleId, TurnId } from '../../../agent-server/protocol/ids.ts';
import { vote } from '../../fixtures/records.ts';

const uuid = (n: number) => `6a1f7f5e-1d0a-4a60-9f3e-${String(n).padStart(12, '0')}`;
const turnId = TurnId.parse(uuid(1));
const made = { sampleId: SampleId.parse(uuid(2)), createdAtMs: 5 };
const settings = { method: 'hybrid-union+demonstration', topK: 4, trainOnAccepted: false } as const;

const at = (
  observedAtMs: number,
  source: Reading['source'],
  score: Reading['score'],
  rewrite: string | null = null,
): Observed => ({
  reading: { source, score, rank: RANK[source], detail: source, rewrite, words: null },
  observationId: ObservationId.parse(uuid(100 + observedAtMs)),
  observedAtMs,
});
const judge = (observed: Observed[], reason = '') => {
  const { score, decidedBy, hint } = settle(observed, { turnId, reason, nowMs: 9 }, []).verdict;
  return [score, decidedBy, hint?.text ?? null];
};

test('JUDGE-1: the highest rank decides, among equals the latest, in whatever order they arrive', () => {
  const first = at(1, 'commit', -1, 'one');
  const second = at(2, 'commit', -1, 'two');
  assert.deepEqual(judge([second, first]), [-1, 'evidence:commit', 'two']);
  assert.deepEqual(judge([at(3, 'thumb', -1), at(4, 'commit', 1)]), [-1, 'evidence:thumb', null]);
  assert.deepEqual(judge([at(1, 'thumb', -1), at(2, 'thumb', 1)]), [1, 'evidence:thumb', null]);
});

test('JUDGE-2: a thumb up takes the correction back, a thumb down keeps it', () => {
  const rewritten = at(1, 'commit', -1, 'better');
  assert.deepEqual(judge([rewritten, at(2, 'thumb', 1)]), [1, 'evidence:thumb', null]);
  assert.deepEqual(judge([rewritten, at(2, 'thumb', -1)]), [-1, 'evidence:thumb', 'better']);
});

test('JUDGE-3: amending back to the proposal takes the correction back; a squash changes nothing', () => {
  const rewritten = at(1, 'commit', -1, 'better');
  assert.deepEqual(judge([rewritten, at(2, 'commit', 1)]), [1, 'evidence:commit', null]);
  assert.deepEqual(judge([rewritten, at(2, 'commit', null)]), [-1, 'evidence:commit', 'better']);
});

test('JUDGE-4: without a score the verdict says why, and makes no sample', () => {
  assert.deepEqual(judge([], 'expired'), [null, 'none:expired', null]);
  assert.deepEqual(judge([], 'cleared'), [null, 'none:cleared', null]);
  assert.deepEqual(judge([at(1, 'commit', null)]), [null, 'none:no_score', null]);
  const { verdict } = settle([], { turnId, reason: 'overwritten', nowMs: 9 }, []);
  assert.equal(sampleOf(verdict, settings, made, null), null);
});

test('JUDGE-5: a corrected turn is ready; an accepted one, or one the method cannot use, is held', () => {
  const verdict = (...observed: Observed[]) => settle(observed, { turnId, reason: '', nowMs: 9 }, []).verdict;
  const corrected = verdict(at(1, 'commit', -1, 'better'));
  const sample = sampleOf(corrected, settings, made, null);
  assert.deepEqual([sample?.state, sample?.hint], ['ready', { kind: 'rewrite', text: 'better' }]);
  const accepted = verdict(at(1, 'commit', 1));
  assert.equal(sampleOf(accepted, settings, made, null)?.state, 'held');
  assert.match(sampleOf(accepted, settings, made, null)?.note ?? '', /was right/);
  assert.equal(sampleOf(accepted, { ...settings, trainOnAccepted: true }, made, null)?.state, 'ready');
  const thumbed = verdict(at(1, 'thumb', -1));
  assert.equal(sampleOf(thumbed, settings, made, null)?.state, 'ready');
  const useless = sampleOf(thumbed, { ...settings, method: 'demonstration' }, made, null);
  assert.deepEqual(
    [useless?.state, useless?.note],
    ['held', 'The method demonstration learns nothing from a score alone.'],
  );
});

test('LEARN-14: a degenerate answer is held with its reason, unless the user wrote what it should have been', () => {
  const verdict = (...observed: Observed[]) => settle(observed, { turnId, reason: '', nowMs: 9 }, []).verdict;
  const looping = 'The answer repeats itself in a loop.';
  const thumbed = sampleOf(verdict(at(1, 'thumb', -1)), { ...settings, method: 'by-kind' }, made, looping);
  assert.deepEqual([thumbed?.state, thumbed?.note], ['held', looping]);
  const rewritten = verdict(at(1, 'commit', -1, 'better'));
  assert.equal(sampleOf(rewritten, { ...settings, method: 'by-kind' }, made, looping)?.state, 'ready');
});

test('SETTLE-8: votes decide only where evidence is silent, and only on what was said or shown', () => {
  const votes = [vote({ score: 1 }), vote({ score: 1 }), vote({ score: -1 })];
  const of = (...observed: Observed[]) => settle(observed, { turnId, reason: '', nowMs: 9 }, votes).verdict;
  assert.deepEqual(
    [of(at(1, 'user_reply', null)).score, of(at(1, 'user_reply', null)).decidedBy],
    [1, 'votes'],
  );
  assert.equal(of(at(1, 'user_reply', null), at(2, 'test_run', -1)).decidedBy, 'evidence:test_run');
  assert.ok(wantsVotes([at(1, 'commit', null), at(2, 'tool_result', null)]));
  assert.ok(!wantsVotes([at(1, 'tool_result', null), at(2, 'test_run', 0)]));
  assert.ok(!wantsVotes([at(1, 'commit', null), at(2, 'user_edit', null)]));
  assert.ok(!wantsVotes([at(1, 'git', null)]));
  assert.ok(!wantsVotes([]));
});

test('JUDGE-14: the hints of a verdict are those of the votes that agree with it, after what was said in words', () => {
  const votes = [
    vote({ score: -1, hints: ['Run the tests before saying that they pass.'] }),
    vote({ score: 1, hints: ['Everything was as it should have been here.'] }),
    vote({
      score: -1,
      hints: ['Run the tests before saying that they pass.', 'Name the file that was changed.'],
    }),
  ];
  const { verdict, hints } = settle([at(1, 'user_reply', null)], { turnId, reason: '', nowMs: 9 }, votes);
  assert.deepEqual(
    hints.map(({ source, text }) => [source, text]),
    [
      ['judge', 'Run the tests before saying that they pass.'],
      ['judge', 'Name the file that was changed.'],
    ],
  );
  assert.equal(verdict.hint?.text, hints[0]?.text);
});
