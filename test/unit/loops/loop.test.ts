/** The worker over a queue: order, retries, giving up, pausing, stopping. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createLog } from '../../../agent-server/log.ts';
import { type Loop, type LoopWork, startLoop } from '../../../agent-server/loops/loop.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { StoreChange } from '../../../agent-server/store/store.ts';

const log = createLog('error', () => undefined);

/** A loop over an array; `handle` decides each item's fate. */
function overArray(handle: (item: string) => Promise<void> | void) {
  const queue: string[] = [];
  const givenUp: string[] = [];
  let tell: (what: StoreChange) => void = () => undefined;
  let idle = Promise.withResolvers<void>();
  const work: LoopWork<string> = {
    name: 'judge',
    wakesOn: ['judge'],
    next: () => queue[0],
    nextDueMs: () => undefined,
    describe: (item) => item,
    handle: async (item) => {
      await handle(item);
      queue.shift();
    },
    giveUp: (item, _nowMs, error) => {
      givenUp.push(`${item}: ${error.message}`);
      queue.shift();
    },
    counts: () => ({ queued: queue.length, done: 0 }),
  };
  const loop: Loop = startLoop(work, {
    log,
    retryMs: 1,
    maxAttempts: 3,
    onChange: (listener) => {
      tell = listener;
      return () => undefined;
    },
    onStatus: () => {
      if (loop.status().state === 'idle') idle.resolve();
    },
  });
  const push = (...items: string[]): Promise<void> => {
    idle = Promise.withResolvers<void>();
    queue.push(...items);
    tell('judge');
    return idle.promise;
  };
  return { loop, push, givenUp };
}

describe('startLoop', () => {
  it('handles items in order as they come', async (t) => {
    const seen: string[] = [];
    const { loop, push } = overArray((item) => void seen.push(item));
    t.after(() => loop.stop());
    await push('a', 'b');
    await push('c');
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  it('LOOP-1: tries an item again with back-off, then gives it up and goes on', async (t) => {
    const tries: string[] = [];
    const { loop, push, givenUp } = overArray((item) => {
      tries.push(item);
      if (item === 'broken') throw new Error('it broke');
    });
    t.after(() => loop.stop());
    await push('broken');
    assert.match(loop.status().detail ?? '', /Gave up on broken: it broke/);
    await push('whole');
    assert.deepEqual(tries, ['broken', 'broken', 'broken', 'whole']);
    assert.deepEqual(givenUp, ['broken: it broke']);
    assert.equal(loop.status().detail, null);
  });

  it('LOOP-2: does nothing while paused', async (t) => {
    const handled = Promise.withResolvers<string>();
    const seen: string[] = [];
    const { loop, push } = overArray((item) => {
      seen.push(item);
      handled.resolve(item);
    });
    t.after(() => loop.stop());
    loop.pause();
    void push('a');
    // One turn of the event loop is enough for a loop that runs to take the item.
    await setImmediate();
    assert.equal(loop.status().state, 'paused');
    assert.deepEqual(seen, []);
    loop.resume();
    assert.equal(await handled.promise, 'a');
  });

  it('LOOP-3: stops after the item in hand', async () => {
    const inHand = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { loop, push } = overArray((item) => {
      assert.equal(item, 'a');
      begun.resolve();
      return inHand.promise;
    });
    void push('a', 'b');
    await begun.promise;
    const stopped = loop.stop();
    inHand.resolve();
    await stopped;
    assert.equal(loop.status().queued, 1);
  });

  it("LOOP-4: a full disk is nobody's fault: the item waits for as long as it lasts", async (t) => {
    let attempts = 0;
    const { loop, push, givenUp } = overArray(() => {
      attempts += 1;
      if (attempts <= 10) throw new ApprenticeError('disk_full', 'The disk is full.', '');
    });
    t.after(() => loop.stop());
    await push('a');
    assert.deepEqual([attempts, givenUp], [11, []]);
  });

  it('LOOP-5: what needs no waiting shares transactions, one that fails takes none with it, and others get their turn', async (t) => {
    const queue = Array.from({ length: 500 }, (_, index) => index);
    const done: number[] = [];
    let transactions = 0;
    let turns = 0;
    const all = Promise.withResolvers<void>();
    const loop = startLoop<number>(
      {
        name: 'environment',
        wakesOn: [],
        next: () => queue[0],
        nextDueMs: () => undefined,
        describe: String,
        handleNow: (item) => {
          if (item === 100) throw new Error('a bad item');
          done.push(item);
          queue.shift();
          if (queue.length === 0) all.resolve();
          return true;
        },
        handle: () => undefined,
        giveUp: () => void queue.shift(),
        counts: () => ({ queued: queue.length, done: done.length }),
      },
      {
        log: createLog('error', () => undefined),
        retryMs: 1,
        maxAttempts: 2,
        onChange: () => () => undefined,
        together: (work) => {
          transactions += 1;
          return work();
        },
      },
    );
    t.after(() => loop.stop());
    while (queue.length > 0) {
      await setImmediate();
      turns += 1;
    }
    await all.promise;
    assert.deepEqual([done.length, done.includes(100)], [499, false]);
    assert.ok(transactions < 50, `${transactions} transactions`);
    assert.ok(turns > 2, 'the event loop went round in between');
  });
});
