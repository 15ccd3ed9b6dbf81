/** The part of the Store contract that the judge relies on: two stages of waiting, votes, and samples after a verdict. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { weightVersion } from '../../agent-server/protocol/ids.ts';
import type { Store } from '../../agent-server/store/store.ts';
import { answeredTurn, beginBatch, corrected, made, sample, T0, thumb, vote } from '../fixtures/records.ts';

export function judgementRules(current: () => Store): void {
  /** A turn with a next state, due at the judge. */
  const observed = () => {
    const store = current();
    const turnId = answeredTurn(store, { subject: { kind: 'chat' } });
    const seen = thumb(turnId, -1);
    store.addObservation(seen, T0);
    store.attach(seen.observationId, turnId, 'thumb', T0, T0);
    return { store, turnId };
  };

  describe('judgements', () => {
    it('a turn that waits for votes is not read again until the voting ends', () => {
      const { store, turnId } = observed();
      store.awaitVotes(turnId, T0 + 5);
      assert.deepEqual([store.dueTurns(T0 + 9, 5), store.nextJudgeDueMs()], [[], undefined]);
      assert.deepEqual(store.turnsAwaitingVotes(T0 + 9, 5), [turnId]);
      assert.equal(store.nextVoteDueMs(), T0 + 5);
      store.endVoting(turnId, T0 + 10);
      assert.deepEqual(store.dueTurns(T0 + 10, 5), [{ turnId, reason: 'votes' }]);
      assert.equal(store.nextVoteDueMs(), undefined);
    });

    it('a judge that cannot be had is asked again ever later, then no more', () => {
      const { store, turnId } = observed();
      store.awaitVotes(turnId, T0);
      const patience = { firstWaitMs: 100, maxAttempts: 3 };
      store.postponeVotes(turnId, T0, patience);
      assert.deepEqual([store.turnsAwaitingVotes(T0 + 99, 5), store.nextVoteDueMs()], [[], T0 + 100]);
      store.postponeVotes('all due', T0 + 99, patience);
      assert.equal(store.nextVoteDueMs(), T0 + 100, 'not due, not postponed');
      store.postponeVotes('all due', T0 + 100, patience);
      assert.equal(store.nextVoteDueMs(), T0 + 300);
      store.postponeVotes('all due', T0 + 300, patience);
      assert.deepEqual(store.dueTurns(T0 + 300, 5), [{ turnId, reason: 'judge_unavailable' }]);
      assert.deepEqual(store.turnsAwaitingVotes(T0 + 900, 5), []);
    });

    it('a new next state ends the wait for votes at once, and what ends late then ends nothing', () => {
      const { store, turnId } = observed();
      store.awaitVotes(turnId, T0);
      store.postponeVotes(turnId, T0, { firstWaitMs: 1_000_000, maxAttempts: 3 });
      const up = thumb(turnId, 1);
      store.addObservation(up, T0);
      store.attach(up.observationId, turnId, 'thumb', T0, T0 + 2);
      assert.deepEqual(store.dueTurns(T0 + 2, 5), [{ turnId, reason: 'thumb' }]);
      store.endVoting(turnId, T0 + 9);
      assert.deepEqual(store.dueTurns(T0 + 2, 5), [{ turnId, reason: 'thumb' }]);
    });

    it('the session of a turn is looked back on from that turn, over a bounded number of turns', () => {
      const store = current();
      const states = [0, 1, 2].map((n) => {
        const turnId = answeredTurn(store, { subject: { kind: 'chat' }, createdAtMs: T0 + n });
        const seen = thumb(turnId, 1);
        store.addObservation(seen, T0);
        store.attach(seen.observationId, turnId, 'thumb', T0, T0);
        return { turnId, observationId: seen.observationId };
      });
      const [first, second] = states;
      assert.ok(first !== undefined && second !== undefined);
      const before = (turns: number) =>
        store.sessionNextStates(second.turnId, turns).map((next) => next.observationId);
      assert.deepEqual(before(9), [first.observationId, second.observationId]);
      assert.deepEqual(before(1), [second.observationId]);
      assert.equal(store.turnState(first.turnId), 'open');
    });

    it('keeps every vote as it was given, and all hints in their order', () => {
      const { store, turnId } = observed();
      const votes = [vote(), vote({ score: null, hints: [], raw: 'no idea', costUsd: null })];
      for (const one of votes) store.addVote(turnId, one);
      assert.deepEqual(store.votes(turnId), votes);
      const hints = [
        { kind: 'rewrite', source: 'rewrite', text: 'Better.' },
        { kind: 'words', source: 'judge', text: 'Name the file that was changed.' },
      ] as const;
      store.recordVerdict(corrected(turnId, 'Better.'), null, hints);
      assert.deepEqual(store.hintCandidates(turnId), hints);
    });

    it('SETTLE-7: what was trained and is taken back is not replayed, and counts again when it is said again', () => {
      const { store, turnId } = observed();
      const first = sample(turnId, { hint: { kind: 'rewrite', text: 'one' } });
      store.recordVerdict(corrected(turnId, 'one'), first);
      const batchId = beginBatch(store, [first.sampleId]);
      const up = { ...corrected(turnId, ''), decidedBy: 'evidence:thumb', score: 1, hint: null } as const;
      const second = sample(turnId, { score: 1, hint: null, state: 'held' });
      store.recordVerdict(up, second);
      store.completeBatch(batchId, made(weightVersion(1)));
      assert.equal(store.sample(first.sampleId)?.state, 'trained');
      assert.equal(store.sampleOfTurn(turnId)?.sampleId, second.sampleId);
      assert.deepEqual(store.replaySamples(5, []), []);

      store.recordVerdict(
        corrected(turnId, 'one'),
        sample(turnId, { hint: { kind: 'rewrite', text: 'one' } }),
      );
      assert.equal(store.sampleOfTurn(turnId)?.sampleId, first.sampleId);
      assert.deepEqual(
        store.replaySamples(5, []).map(({ sampleId }) => sampleId),
        [first.sampleId],
      );
    });

    it('what is written together is there together, or not at all', () => {
      const { store, turnId } = observed();
      const heard: string[] = [];
      store.onChange((what) => heard.push(what));
      assert.throws(() =>
        store.together(() => {
          store.awaitVotes(turnId, T0);
          throw new Error('in the middle');
        }),
      );
      assert.deepEqual([store.dueTurns(T0, 5).length, heard], [1, []]);
      store.together(() => {
        store.awaitVotes(turnId, T0);
        store.endVoting(turnId, T0 + 1);
        assert.deepEqual(heard, []);
      });
      assert.deepEqual([store.nextJudgeDueMs(), heard], [T0 + 1, ['judge']]);
    });
  });
}
