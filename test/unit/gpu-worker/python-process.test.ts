/** Supervision, with an interpreter that cannot run the module: what a broken installation looks like. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { PythonProcess } from '../../../gpu-worker/python-process.ts';

function broken(python: string, exits: ApprenticeError[]): PythonProcess<{ type: string }> {
  return new PythonProcess({
    name: 'engine',
    python,
    module: 'no_such_module',
    args: [],
    event: z.object({ type: z.string() }),
    unavailable: 'engine_unavailable',
    niceness: 0,
    log: () => {},
    onEvent: () => assert.fail('nothing was started'),
    onExit: (error) => exits.push(error),
  });
}

for (const [what, python] of [
  ['an interpreter that does not exist', '/no/such/python'],
  ['a child that ends at once', process.execPath],
] as const) {
  test(`WORKER-PROCESS-1: ${what} is tried again with back-off and then called failed`, async () => {
    const exits: ApprenticeError[] = [];
    const child = broken(python, exits);
    const states: string[] = [];
    child.onStateChange(({ state }) => states.push(state));
    child.start();
    await assert.rejects(child.whenReady(AbortSignal.timeout(60_000)), { code: 'engine_unavailable' });
    await child.stop();
    assert.deepEqual(states, ['restarting', 'restarting', 'restarting', 'failed']);
    assert.equal(exits.length, 4);
    assert.match(child.state().detail ?? '', /engine process/);
    assert.throws(() => child.send({ type: 'anything' }), { code: 'engine_unavailable' });
  });
}
