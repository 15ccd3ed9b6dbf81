/** A clock that jumps: a day forward, a year back. What waits by the clock neither stalls nor is lost. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createLog } from '../../../agent-server/log.ts';
import { environmentWork, startEnvironmentLoop } from '../../../agent-server/loops/environment-loop.ts';
import { startLoop } from '../../../agent-server/loops/loop.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { answeredTurn, commit, corrected, newObservationId, sample, T0 } from '../../fixtures/records.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 365 * DAY_MS;
const log = createLog('error', () => undefined);

describe('A clock that jumps', () => {
  let store: Store;
  beforeEach(async () => {
    store = (await openStore(':memory:')).store;
  });
  afterEach(() => store.close());

  /** Everything that the environment loop finds to do at a moment. */
  const work = () => {
    const environment = environmentWork(store);
    return (nowMs: number): number => {
      let items = 0;
      for (let item = environment.next(nowMs); item !== undefined; item = environment.next(nowMs)) {
        environment.handleNow?.(item, nowMs);
        items += 1;
        assert.ok(items < 100, 'it finds the same to do again and again');
      }
      return items;
    };
  };

  it('CLOCK-1: a turn that waits for its judge when the clock is put back a year is judged now', () => {
    const doAll = work();
    const turnId = answeredTurn(store);
    store.addObservation(
      {
        kind: 'terminal',
        observationId: newObservationId(),
        observedAt: new Date(T0).toISOString(),
        turnId,
        source: 'user',
        commandLine: 'npm test',
        cwd: null,
        exitCode: 1,
        output: 'failed',
        before: null,
        editedSince: false,
      },
      T0,
    );
    doAll(T0);
    const earlierMs = T0 - YEAR_MS;
    assert.deepEqual(store.dueTurns(earlierMs, 10), [], 'its window is a year away');
    assert.ok(doAll(earlierMs) > 0, 'the check itself does not wait a year');
    assert.equal(store.dueTurns(earlierMs, 10)[0]?.turnId, turnId);
    assert.equal(doAll(earlierMs + 1), 0);
  });

  it('CLOCK-2: a proposal from a future that was taken back expires, and one of now does not', () => {
    const doAll = work();
    doAll(T0);
    const ofFuture = answeredTurn(store, { subject: { kind: 'chat' } });
    const nowMs = T0 - YEAR_MS;
    const ofNow = answeredTurn(store, { subject: { kind: 'chat' }, createdAtMs: nowMs });
    doAll(nowMs);
    assert.deepEqual([store.turn(ofFuture)?.closed, store.turn(ofNow)?.closed], ['expired', null]);
  });

  it('CLOCK-2: after a day at once the expiry of many turns is taken in parts, to its end', () => {
    const doAll = work();
    doAll(T0);
    const turns = Array.from({ length: 1_100 }, () => answeredTurn(store, { subject: { kind: 'chat' } }));
    doAll(T0 + DAY_MS + 1);
    assert.ok(turns.every((turnId) => store.turn(turnId)?.closed === 'expired'));
  });

  it('CLOCK-3: a commit matches its proposal though the clock was put back in between', () => {
    const doAll = work();
    const turnId = answeredTurn(store, { createdAtMs: T0 + YEAR_MS });
    store.addObservation(commit(), T0);
    doAll(T0);
    assert.equal(store.nextStates(turnId).length, 1);
  });

  it('CLOCK-4: the panel shows the newest turn and the newest score first, whatever the clock said', () => {
    const [before, later] = [T0 + YEAR_MS, T0].map((createdAtMs) => {
      const turnId = answeredTurn(store, { createdAtMs, subject: { kind: 'chat' } });
      store.recordVerdict(
        { ...corrected(turnId, 'fix: other'), decidedAtMs: createdAtMs },
        sample(turnId, { createdAtMs }),
      );
      return turnId;
    });
    assert.deepEqual(
      store.panelTurns(5).map(({ turnId }) => turnId),
      [later, before],
    );
    assert.equal(store.curve(1)[0]?.turnId, later);
  });

  it('CLOCK-5: a loop that rests is woken by a change, whatever time it had meant to sleep to', async () => {
    let nowMs = T0;
    const loop = startEnvironmentLoop(store, { log, now: () => nowMs });
    const turnId = answeredTurn(store);
    nowMs = T0 - YEAR_MS;
    const placed = new Promise<void>((resolve) => {
      store.onChange(() => {
        if (store.nextStates(turnId).length === 1) resolve();
      });
    });
    store.addObservation(commit(), nowMs);
    await placed;
    await loop.stop();
  });

  it('CLOCK-5: the pause before a second attempt is not by the clock', async () => {
    let nowMs = T0;
    let attempts = 0;
    const done = Promise.withResolvers<void>();
    const loop = startLoop<string>(
      {
        name: 'judge',
        wakesOn: [],
        next: () => (attempts < 2 ? 'item' : undefined),
        nextDueMs: () => undefined,
        describe: (item) => item,
        handle: () => {
          attempts += 1;
          nowMs -= YEAR_MS;
          if (attempts === 1) throw new Error('at first');
          done.resolve();
        },
        giveUp: () => undefined,
        counts: () => ({ queued: 0, done: 0 }),
      },
      { onChange: () => () => undefined, log, now: () => nowMs, retryMs: 1 },
    );
    await done.promise;
    await loop.stop();
  });
});
