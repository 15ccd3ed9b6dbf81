/** Whose training run is next: turns of users, places in the queue, who gives up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrainingQueue } from '../../../gpu-worker/trainer/training-queue.ts';

const never = new AbortController().signal;

/** Everything that is settled has been heard of. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A queue whose runs end when they are told to. `began` has their names in the order in which their turn came. */
function heldQueue() {
  const queue = new TrainingQueue();
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const enter = (user: string, name: string, signal = never) => {
    const aheads: number[] = [];
    const done = queue.of(user)(
      () => {
        began.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      },
      signal,
      (ahead) => aheads.push(ahead),
    );
    // Who is interested asks later.
    done.catch(() => undefined);
    return { done, aheads };
  };
  /** Ends the run whose turn it is, and waits for the next to begin. */
  const endOne = async () => {
    await settled();
    const name = began.at(-1) ?? '';
    ends.get(name)?.();
    await settled();
  };
  return { queue, began, enter, endOne };
}

test('FAIR-1: one run at a time, and users take turns however many batches one of them sends', async () => {
  const { began, enter, endOne } = heldQueue();
  for (const name of ['a1', 'a2', 'a3']) enter('anna', name);
  await endOne();
  assert.deepEqual(began, ['a1', 'a2'], 'nobody else waits');
  for (const name of ['b1', 'b2']) enter('ben', name);
  enter('cora', 'c1');
  for (let ended = 0; ended < 6; ended += 1) await endOne();
  assert.deepEqual(began, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
});

test('FAIR-2: who waits is told how many runs come before, and again when that changes', async () => {
  const { began, enter, endOne } = heldQueue();
  const first = enter('anna', 'a1');
  const second = enter('anna', 'a2');
  const third = enter('anna', 'a3');
  const ben = enter('ben', 'b1');
  await endOne();
  await endOne();
  await endOne();
  assert.deepEqual(began, ['a1', 'b1', 'a2', 'a3']);
  assert.deepEqual(first.aheads, []);
  assert.deepEqual(ben.aheads, [1]);
  assert.deepEqual(second.aheads, [1, 2, 1]);
  assert.deepEqual(third.aheads, [2, 3, 2, 1]);
});

test('FAIR-3: who gives up leaves the queue at once, a run that fails lets the next one begin, and results reach their own', async () => {
  const { began, enter, endOne, queue } = heldQueue();
  const running = enter('anna', 'a1');
  const giving = new AbortController();
  const reason = new Error('given up');
  const gone = enter('ben', 'b1', giving.signal);
  const last = enter('cora', 'c1');
  giving.abort(reason);
  await assert.rejects(gone.done, (error) => error === reason);
  assert.deepEqual(last.aheads, [2, 1]);
  await endOne();
  assert.equal(await running.done, 'a1');
  assert.deepEqual(began, ['a1', 'c1']);
  const failing = queue.of('dora')(
    async () => {
      throw reason;
    },
    never,
    () => undefined,
  );
  failing.catch(() => undefined);
  const after = enter('anna', 'a2');
  await endOne();
  await assert.rejects(failing, (error) => error === reason);
  await endOne();
  assert.equal(await after.done, 'a2');
  await assert.rejects(enter('ben', 'b2', giving.signal).done, (error) => error === reason);
});
