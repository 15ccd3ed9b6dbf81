/** Observations through the environment loop and the judge loop over a real store. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { NO_JUDGE } from '../../../agent-server/judge/configured-judge.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { startEnvironmentLoop } from '../../../agent-server/loops/environment-loop.ts';
import { startJudgeLoop } from '../../../agent-server/loops/judge-loop.ts';
import { PROPOSAL_LIFETIME_MS, settleWindowMs } from '../../../agent-server/loops/settlement.ts';
import type { TurnId } from '../../../agent-server/protocol/ids.ts';
import type { Observation } from '../../../agent-server/protocol/observations.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import {
  answeredTurn,
  beginBatch,
  commit,
  newObservationId,
  proposalClosed,
  sha,
  T0,
  thumb,
} from '../../fixtures/records.ts';
import { votesBy } from '../../fixtures/votes.ts';

const log = createLog('error', (line) => process.stderr.write(line));

/** Both loops over a store in memory, at a time that the test sets. */
async function loops(t: TestContext, nowMs = T0 + 120_000) {
  const { store } = await openStore(':memory:');
  const options = { log, now: () => nowMs };
  const environment = startEnvironmentLoop(store, options);
  const judge = startJudgeLoop(store, LearningConfig.parse({}), votesBy(NO_JUDGE), options);
  t.after(async () => {
    await environment.stop();
    await judge.stop();
    store.close();
  });
  const report = (observation: Observation): Promise<void> => {
    store.addObservation(observation, nowMs);
    return settled(store, nowMs);
  };
  return { store, report, nowMs };
}

/** Resolves when both queues are empty. */
async function settled(store: Store, nowMs: number): Promise<void> {
  const changes = new EventTarget();
  const stop = store.onChange(() => changes.dispatchEvent(new Event('change')));
  const signal = AbortSignal.timeout(5_000);
  for (;;) {
    const { observations, judge } = store.queueLengths(nowMs);
    if (observations === 0 && judge === 0) break;
    await once(changes, 'change', { signal });
  }
  stop();
}

describe('Environment and judge', () => {
  it('SETTLE-1: a commit of the proposal as it stood is +1 and kept, not trained', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, {}, { text: 'feat: add a parser' });
    await report(commit({ message: 'feat: add a parser\n' }));
    assert.equal(store.verdict(turnId)?.score, 1);
    assert.equal(store.sampleOfTurn(turnId)?.state, 'held');
    assert.equal(store.panelTurns(1)[0]?.outcome, 'accepted');
  });

  it('SETTLE-1: a commit with another message is -1 and the message is the correction', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, {}, { text: 'Add a parser.' });
    const seen = commit({ message: 'feat: add a parser' });
    await report(seen);
    assert.equal(store.nextStates(turnId)[0]?.observationId, seen.observationId);
    assert.equal(store.verdict(turnId)?.score, -1);
    const [sample] = store.readySamples(5);
    assert.deepEqual(
      [sample?.turnId, sample?.hint],
      [turnId, { kind: 'rewrite', text: 'feat: add a parser' }],
    );
  });

  it('SETTLE-2: a later thumb outranks the commit, and takes its sample back while it waits', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, {}, { text: 'Add a parser.' });
    await report(commit());
    assert.equal(store.readySamples(5).length, 1);
    await report(thumb(turnId, 1));
    assert.equal(store.verdict(turnId)?.score, 1);
    assert.equal(store.readySamples(5).length, 0);
    assert.equal(store.panelTurns(1)[0]?.outcome, 'thumb_up');
    assert.equal(store.verdict(turnId)?.evidence.length, 2);
  });

  it('SETTLE-2: a thumb down before the commit still gets its correction from the commit', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, {}, { text: 'Add a parser.' });
    await report(thumb(turnId, -1));
    await report(commit({ message: 'feat: add a parser' }));
    assert.deepEqual(store.verdict(turnId)?.hint, { kind: 'rewrite', text: 'feat: add a parser' });
    assert.equal(store.panelTurns(1)[0]?.outcome, 'thumb_down');
  });

  it('SETTLE-1: an amend corrects what the commit said', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, {}, { text: 'feat: add a parser' });
    await report(commit({ message: 'feat: add a parser' }));
    await report(
      commit({
        action: 'amend',
        sha: sha('amended'),
        replaces: sha('commit'),
        message: 'feat(io): add a parser',
      }),
    );
    assert.equal(store.verdict(turnId)?.score, -1);
    assert.equal(store.verdict(turnId)?.hint?.text, 'feat(io): add a parser');
  });

  it('SETTLE-4: cleared, overwritten and expired proposals get no score', async (t) => {
    const nowMs = T0 + PROPOSAL_LIFETIME_MS + 60_000;
    const { store, report } = await loops(t, nowMs);
    const [overwritten, cleared] = [
      answeredTurn(store, { createdAtMs: nowMs - 2_000 }),
      answeredTurn(store, { createdAtMs: nowMs - 1_000 }),
    ];
    await report(proposalClosed(cleared, 'cleared'));
    await report(commit());
    for (const [turnId, reason] of [
      [overwritten, 'overwritten'],
      [cleared, 'cleared'],
    ] as const) {
      assert.equal(store.verdict(turnId)?.decidedBy, `none:${reason}`);
      assert.equal(store.sampleOfTurn(turnId), undefined);
    }
  });

  it('SETTLE-3: what nothing followed for a day is closed when the loop starts', async (t) => {
    const { store } = await openStore(':memory:');
    const turnId = answeredTurn(store);
    const options = { log, now: () => T0 + PROPOSAL_LIFETIME_MS + 1 };
    const environment = startEnvironmentLoop(store, options);
    t.after(async () => {
      await environment.stop();
      store.close();
    });
    assert.deepEqual(store.dueTurns(options.now(), 5), [{ turnId, reason: 'expired' }]);
  });

  it('ENV-3: what belongs to no turn is set aside with its reason and scores nothing', async (t) => {
    const { store, report } = await loops(t);
    const side = answeredTurn(store, { kind: 'side' });
    await report(commit());
    await report(commit({ action: 'rebase' }));
    assert.deepEqual(store.nextStates(side), []);
    assert.deepEqual(store.doneCounts(), { serve: 1, environment: 2, judge: 0, train: 0 });
  });

  it('CONSENT-1: a turn without consent is never made a sample, whatever is said of it', async (t) => {
    const { store, report } = await loops(t);
    const turnId = answeredTurn(store, { learnable: false });
    await report(thumb(turnId, -1));
    assert.equal(store.verdict(turnId)?.score, -1);
    assert.equal(store.sampleOfTurn(turnId), undefined);
  });

  it('SETTLE-5: the first next state sets how long a turn waits; a better one shortens it, none lengthens it', async (t) => {
    const { store } = await openStore(':memory:');
    const clock = { nowMs: T0 };
    const environment = startEnvironmentLoop(store, { log, now: () => clock.nowMs });
    t.after(async () => {
      await environment.stop();
      store.close();
    });
    const attached = async (observation: Observation): Promise<void> => {
      const changes = new EventTarget();
      const stop = store.onChange(() => changes.dispatchEvent(new Event('change')));
      store.addObservation(observation, clock.nowMs);
      const signal = AbortSignal.timeout(20_000);
      while (store.queueLengths(clock.nowMs).observations > 0) await once(changes, 'change', { signal });
      stop();
    };
    const observedAt = new Date(T0).toISOString();
    const of = (turnId: TurnId) => ({ turnId, observedAt, observationId: newObservationId() });

    const turnId = answeredTurn(store);
    const looked = { kind: 'user_edit', moment: '30s', text: 'Add', survival: null } as const;
    await attached({ ...of(turnId), ...looked, edits: [] });
    assert.equal(store.nextJudgeDueMs(), T0 + 360_000, 'the user may be in the middle of it');
    clock.nowMs = T0 + 1_000;
    const run = { exitCode: 1, output: '', before: null, testDiff: null, editedSince: false };
    const failed = { kind: 'test_run', ...run } as const;
    await attached({ ...of(turnId), ...failed });
    assert.equal(store.nextJudgeDueMs(), T0 + 11_000);
    clock.nowMs = T0 + 5_000;
    await attached({ ...of(turnId), kind: 'screen', text: 'Done.' });
    assert.equal(store.nextJudgeDueMs(), T0 + 11_000);
    await attached(thumb(turnId, 1));
    assert.equal(store.nextJudgeDueMs(), T0 + 5_000);
    const git = { kind: 'git' as const, ...of(turnId), paths: [], survival: 0 };
    assert.equal(settleWindowMs({ ...git, action: 'stash' }), 360_000, 'it may come back');
    assert.equal(settleWindowMs({ ...git, action: 'checkout_file' }), 0);
  });

  it('SETTLE-6: evidence that comes after its sample was taken makes another; said again, it counts again', async (t) => {
    const { store, report } = await loops(t);
    answeredTurn(store, {}, { text: 'Add a parser.' });
    await report(commit({ message: 'feat: add a parser' }));
    const [first] = store.readySamples(1);
    assert.ok(first !== undefined);
    beginBatch(store, [first.sampleId]);
    await report(
      commit({ action: 'amend', sha: sha('b'), replaces: sha('commit'), message: 'feat(io): add it' }),
    );
    const [second] = store.readySamples(5);
    assert.equal(second?.hint?.text, 'feat(io): add it');
    assert.equal(store.sample(first.sampleId)?.state, 'batched');
    await report(
      commit({ action: 'amend', sha: sha('c'), replaces: sha('b'), message: 'feat: add a parser' }),
    );
    assert.deepEqual(store.readySamples(5), [], 'what the batch learns holds again');
  });
});
