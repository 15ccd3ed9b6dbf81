/** Who goes in when there is one form at a time: nobody is cut off, nobody waits for ever, and changes are few. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { Turnstile } from '../../../gpu-worker/engine/turnstile.ts';

const never = new AbortController().signal;

function turnstile(options: { maxWaiting?: number; maxWaitMs?: number } = {}) {
  const changes: string[] = [];
  const pauses: number[] = [];
  const made = new Turnstile<string>('base', {
    change: async (form) => {
      if (form === 'broken') throw new ApprenticeError('invalid_request', 'It is no model.', '');
      changes.push(form);
    },
    onPause: (_form, seconds) => pauses.push(seconds),
    maxWaiting: options.maxWaiting ?? 10,
    maxWaitMs: options.maxWaitMs ?? 60_000,
  });
  return { made, changes, pauses };
}

test('FULL-2: a change waits for who is inside, and lets in all who wait for it', async () => {
  const { made, changes, pauses } = turnstile();
  const outOfBase = await made.enter('base', never);
  const order: string[] = [];
  const visit = async (form: string, name: string) => {
    const leave = await made.enter(form, never);
    order.push(name);
    leave();
  };
  const visits = [visit('v1', 'a'), visit('base', 'b'), visit('v1', 'c'), visit('base', 'd')];
  await new Promise(setImmediate);
  assert.deepEqual([order, changes], [[], []], 'nobody goes in behind who waits for a change');
  outOfBase();
  await Promise.all(visits);
  assert.deepEqual(order, ['a', 'c', 'b', 'd']);
  assert.deepEqual(changes, ['v1', 'base']);
  assert.equal(pauses.length, 2);
});

test('FULL-2: a wait ends with its signal, its limit, or a full queue, and others go on', async () => {
  const { made, changes } = turnstile({ maxWaiting: 2, maxWaitMs: 20 });
  const outOfBase = await made.enter('base', never);
  const gone = new AbortController();
  const aborted = made.enter('v1', gone.signal);
  const late = made.enter('v1', never);
  await assert.rejects(made.enter('base', never), { code: 'queue_full' });
  gone.abort(new ApprenticeError('aborted', 'gone', ''));
  await assert.rejects(aborted, { code: 'aborted' });
  await assert.rejects(late, { code: 'timeout' });
  (await made.enter('base', never))();
  outOfBase();
  assert.deepEqual(changes, []);
});

test('FULL-2: what is not taken fails for those who wanted it alone', async () => {
  const { made, changes } = turnstile();
  const outcomes = await Promise.allSettled(
    ['broken', 'broken', 'base'].map((form) => made.enter(form, never)),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(changes, ['base'], 'what is there then is not known');
});

test('FULL-3: what was forgotten is changed to anew', async () => {
  const { made, changes } = turnstile();
  (await made.enter('v1', never))();
  (await made.enter('v1', never))();
  made.forget();
  (await made.enter('v1', never))();
  assert.deepEqual(changes, ['v1', 'v1']);
});
