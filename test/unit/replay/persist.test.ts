/** REPLAY-7: what fails because a process is being restarted is tried again; what is at fault itself is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { persist } from '../../../agent-server/environment/replay/persist.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

const never = new AbortController().signal;
const options = { what: 'The answer', limitMs: 5_000, onRetry: () => undefined };

test('REPLAY-7 a passing failure is tried again until it succeeds', async () => {
  const retried: string[] = [];
  let attempts = 0;
  const result = await persist(
    async () => {
      attempts += 1;
      if (attempts < 3) throw new TypeError('fetch failed');
      return attempts;
    },
    { ...options, onRetry: (error) => retried.push(error.message) },
    never,
  );
  assert.equal(result, 3);
  assert.deepEqual(retried, ['fetch failed', 'fetch failed']);
});

test('REPLAY-7 a request at fault fails at once', async () => {
  let attempts = 0;
  const failing = async (): Promise<never> => {
    attempts += 1;
    throw new ApprenticeError('context_length_exceeded', 'too long', '');
  };
  await assert.rejects(persist(failing, options, never), { code: 'context_length_exceeded' });
  assert.equal(attempts, 1);
});

test('REPLAY-7 the limit and the signal end it', async () => {
  const failing = async (): Promise<never> => {
    throw new ApprenticeError('engine_unavailable', 'away', 'wait');
  };
  await assert.rejects(
    persist(failing, { ...options, limitMs: 1 }, never),
    /The answer failed for 0 s; at last: away/,
  );
  const controller = new AbortController();
  const ended = persist(failing, { ...options, onRetry: () => controller.abort() }, controller.signal);
  await assert.rejects(ended, { code: 'aborted' });
});
