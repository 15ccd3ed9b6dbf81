/** Next states that evidence gives no score, through judge loop and vote loop over a real store. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import type { JudgeConfig } from '../../../agent-server/judge/config.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { startEnvironmentLoop } from '../../../agent-server/loops/environment-loop.ts';
import { startJudgeLoop } from '../../../agent-server/loops/judge-loop.ts';
import { JUDGE_PATIENCE } from '../../../agent-server/loops/settlement.ts';
import type { TurnId } from '../../../agent-server/protocol/ids.ts';
import type { Observation } from '../../../agent-server/protocol/observations.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { NewTurn } from '../../../agent-server/store/types.ts';
import { AWAY, FakeJudge } from '../../fakes/judge.ts';
import { answeredTurn, newObservationId, T0, thumb } from '../../fixtures/records.ts';
import { votesBy } from '../../fixtures/votes.ts';

const log = createLog('error', (line) => process.stderr.write(line));

function reply(turnId: TurnId, text = 'Hm.'): Observation {
  const observedAt = new Date(T0 + 90_000).toISOString();
  return { kind: 'user_reply', observationId: newObservationId(), observedAt, turnId, text };
}

/** All loops over a store in memory, a judge that answers what is laid out, and a clock that the test moves. */
async function judged(t: TestContext, fields: Partial<JudgeConfig> = {}) {
  const { store } = await openStore(':memory:');
  store.setLearning('on');
  const clock = { nowMs: T0 + 120_000 };
  const now = (): number => clock.nowMs;
  const judge = new FakeJudge();
  const learning = LearningConfig.parse({ method: 'combined' });
  const environment = startEnvironmentLoop(store, { log, now });
  const loop = startJudgeLoop(store, learning, votesBy(judge, fields, now), {
    log: createLog('error', () => {}),
    now,
  });
  t.after(async () => {
    await environment.stop();
    await loop.stop();
    store.close();
  });
  const changes = new EventTarget();
  store.onChange(() => changes.dispatchEvent(new Event('change')));
  const until = async (reached: () => boolean): Promise<void> => {
    const signal = AbortSignal.timeout(20_000);
    while (!reached()) await once(changes, 'change', { signal });
  };
  const report = (observation: Observation): void => {
    store.addObservation(observation, clock.nowMs);
  };
  const chat = (turn: Partial<NewTurn> = {}): TurnId =>
    answeredTurn(store, { subject: { kind: 'chat' }, ...turn });
  const settled = (turnId: TurnId): Promise<void> => until(() => store.verdict(turnId) !== undefined);
  return { store, judge, loop, clock, until, report, chat, settled };
}

describe('Votes', () => {
  it('JUDGE-6: three independent calls, their plurality, each kept as it was', async (t) => {
    const { store, judge, report, chat, settled } = await judged(t);
    const hint = 'Rename the three callers as well.';
    judge.replies.push({ score: -1, hints: [hint] }, 'I cannot say.', { score: -1, hints: [hint] });
    const turnId = chat();
    report(reply(turnId, 'You missed the callers.'));
    await settled(turnId);
    const verdict = store.verdict(turnId);
    assert.deepEqual([verdict?.score, verdict?.decidedBy], [-1, 'votes']);
    assert.deepEqual(verdict?.hint, { kind: 'words', text: hint });
    assert.deepEqual(store.hintCandidates(turnId), [{ kind: 'words', source: 'judge', text: hint }]);
    const votes = store.votes(turnId);
    assert.deepEqual(votes.map(({ score }) => score).sort(), [-1, -1, null]);
    assert.ok(votes.some(({ raw }) => raw === 'I cannot say.'));
    assert.equal(new Set(votes.map(({ prompt }) => prompt)).size, 3, 'each call has nonces of its own');
    for (const vote of votes) {
      assert.match(vote.prompt, /\| You missed the callers\./);
      assert.deepEqual([vote.judge, vote.model, vote.promptTokens], ['fake', 'fake-model', 10]);
    }
    assert.equal(store.sampleOfTurn(turnId)?.score, -1);
  });

  it('JUDGE-6: a tie, or no valid vote, is 0 and makes no sample', async (t) => {
    const { store, judge, report, chat, settled } = await judged(t);
    judge.replies.push({ score: 1 }, { score: -1 }, 'no vote');
    const tied = chat();
    report(reply(tied));
    await settled(tied);
    judge.replies.push('no', 'vote', 'here');
    const mute = chat();
    report(reply(mute));
    await settled(mute);
    for (const turnId of [tied, mute]) {
      assert.deepEqual([store.verdict(turnId)?.score, store.verdict(turnId)?.decidedBy], [0, 'votes']);
      assert.equal(store.sampleOfTurn(turnId), undefined);
    }
  });

  it('SETTLE-8: nobody is asked where evidence decides, nor without a judge', async (t) => {
    const { store, judge, report, chat, settled } = await judged(t);
    const turnId = chat();
    report(thumb(turnId, -1));
    await settled(turnId);
    judge.present = false;
    const alone = chat();
    report(reply(alone));
    await settled(alone);
    assert.equal(store.verdict(alone)?.decidedBy, 'none:no_score');
    assert.deepEqual(judge.prompts, []);
  });

  it('SETTLE-8: no judge sees a side turn, or one made without consent', async (t) => {
    const { store, judge, report, chat, settled } = await judged(t);
    for (const turnId of [chat({ kind: 'side' }), chat({ learnable: false })]) {
      report(reply(turnId));
      await settled(turnId);
      assert.equal(store.verdict(turnId)?.decidedBy, 'none:no_score');
    }
    assert.deepEqual(judge.prompts, []);
  });

  it('SETTLE-8: while learning is paused turns wait, and nothing leaves for a judge', async (t) => {
    const { store, judge, report, chat, settled, until } = await judged(t);
    store.setLearning('paused');
    const turnId = chat();
    report(reply(turnId));
    await until(() => store.turnsAwaitingVotes(T0 + 1e9, 5).length === 1);
    assert.deepEqual(judge.prompts, []);
    judge.replies.push({ score: 1 }, { score: 1 }, { score: 1 });
    store.setLearning('on');
    await settled(turnId);
    assert.equal(store.verdict(turnId)?.score, 1);
  });

  it('SETTLE-10: a next state that comes while votes are cast is in the verdict', async (t) => {
    const { store, judge, report, chat, settled } = await judged(t);
    const asked = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    judge.beforeAnswer = () => {
      asked.resolve();
      return hold.promise;
    };
    judge.replies.push({ score: 1 }, { score: 1 }, { score: 1 });
    const turnId = chat();
    report(reply(turnId));
    await asked.promise;
    report(thumb(turnId, -1));
    await settled(turnId);
    assert.deepEqual(
      [store.verdict(turnId)?.score, store.verdict(turnId)?.decidedBy],
      [-1, 'evidence:thumb'],
    );
    hold.resolve();
  });

  it('SETTLE-10: votes that did not see every next state do not count', async (t) => {
    const { store, judge, report, chat, settled, until } = await judged(t);
    const asked = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    judge.beforeAnswer = () => {
      asked.resolve();
      return hold.promise;
    };
    judge.replies.push({ score: 1 }, { score: 1 }, { score: 1 }, { score: -1 }, { score: -1 }, { score: -1 });
    const turnId = chat();
    report(reply(turnId, 'Let me see.'));
    await asked.promise;
    report(reply(turnId, 'No, that is not it.'));
    await until(() => store.nextStates(turnId).length === 2);
    hold.resolve();
    await settled(turnId);
    assert.equal(store.verdict(turnId)?.score, -1);
    assert.match(judge.prompts[5]?.user ?? '', /\| Let me see\.[\s\S]*\| No, that is not it\./);
  });

  it('SETTLE-9: a judge that is away delays its turns and no others, keeps the votes it gave, then is done without', async (t) => {
    const { store, judge, report, chat, settled, clock, until, loop } = await judged(t, { parallel: 3 });
    judge.replies.push({ score: -1 }, AWAY, AWAY);
    const turnId = chat();
    report(reply(turnId));
    await until(() => (store.nextVoteDueMs() ?? 0) > clock.nowMs);
    assert.equal(store.nextVoteDueMs(), clock.nowMs + JUDGE_PATIENCE.firstWaitMs);
    assert.equal(store.votes(turnId).length, 1);
    const other = chat();
    report(thumb(other, 1));
    await settled(other);
    assert.match(loop.status().detail ?? '', /The fake judge is away/);
    judge.present = true;
    judge.replies.push({ score: -1 }, { score: 0 });
    clock.nowMs += JUDGE_PATIENCE.firstWaitMs;
    store.addObservation(reply(chat({ kind: 'side' })), clock.nowMs);
    await settled(turnId);
    assert.deepEqual([store.verdict(turnId)?.score, judge.prompts.length], [-1, 5], 'only the missing two');
  });

  it('SETTLE-9: after the last attempt the turn is settled without votes', async (t) => {
    const { store, judge, report, chat, settled, clock, until } = await judged(t);
    const turnId = chat();
    judge.replies.push(...Array.from({ length: 3 }, () => AWAY));
    report(reply(turnId));
    await until(() => (store.nextVoteDueMs() ?? 0) > clock.nowMs);
    for (let attempt = 2; attempt <= JUDGE_PATIENCE.maxAttempts; attempt += 1) {
      store.postponeVotes(turnId, clock.nowMs, JUDGE_PATIENCE);
    }
    await settled(turnId);
    assert.deepEqual(
      [store.verdict(turnId)?.score, store.verdict(turnId)?.decidedBy],
      [null, 'none:judge_unavailable'],
    );
  });

  it('JUDGE-11: no more calls at once than allowed, over all turns', async (t) => {
    const { judge, report, chat, settled } = await judged(t, { parallel: 4, votes: 2 });
    judge.beforeAnswer = () => new Promise((resolve) => setImmediate(resolve));
    judge.replies.push(...Array.from({ length: 10 }, () => ({ score: 1 }) as const));
    const turns = Array.from({ length: 5 }, () => chat());
    for (const turnId of turns) report(reply(turnId));
    for (const turnId of turns) await settled(turnId);
    assert.equal(judge.mostRunning, 4);
    assert.equal(judge.prompts.length, 10);
  });

  it('JUDGE-11: stopping cancels the calls and loses nothing', async (t) => {
    const { store, judge, report, chat, loop } = await judged(t);
    const asked = Promise.withResolvers<void>();
    judge.beforeAnswer = () => {
      asked.resolve();
      return new Promise(() => {});
    };
    judge.replies.push({ score: 1 }, { score: 1 }, { score: 1 });
    const turnId = chat();
    report(reply(turnId));
    await asked.promise;
    await loop.stop();
    assert.equal(judge.aborted, 3);
    assert.deepEqual(store.turnsAwaitingVotes(T0 + 1e9, 5), [turnId]);
  });
});
