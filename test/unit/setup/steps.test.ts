/** Steps of the set-up: skipped when done, run again when interrupted, one set-up of a folder at a time. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SetupError } from '../../../gpu-worker/setup/errors.mjs';
import { fingerprint, runSteps, stampIs, withLock, writeStamp } from '../../../gpu-worker/setup/steps.mjs';

const never = new AbortController().signal;
/** A process id that no system gives out. */
const NOBODY = 2 ** 30;

const noWait = (): void => assert.fail('waited for a lock that nobody holds');

function recorder() {
  const said: string[] = [];
  return {
    said,
    skipped: (name: string) => void said.push(`skipped ${name}`),
    begun: (name: string) => void said.push(`begun ${name}`),
    progress: (name: string, text: string) => void said.push(`${name}: ${text}`),
    finished: (name: string) => void said.push(`finished ${name}`),
  };
}

describe('Set-up steps', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apprentice-setup-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A step whose product is a stamped file, as the real ones are. */
  function step(name: string, run: () => Promise<void>) {
    const stamp = join(folder, `${name}.stamp`);
    const inputs = fingerprint([name]);
    return {
      name,
      done: () => stampIs(stamp, inputs),
      run: async (progress: (text: string) => void) => {
        progress('half way');
        await run();
        writeStamp(stamp, inputs);
      },
    };
  }

  it('SETUP-1: a step that is done is skipped, an interrupted one runs again, and none after it runs', async () => {
    let broken = true;
    const steps = [
      step('one', async () => undefined),
      step('two', async () => {
        if (broken) throw new SetupError('no network', 'mend it');
      }),
      step('three', async () => undefined),
    ];
    const first = recorder();
    await assert.rejects(runSteps(steps, first, never), { message: 'no network', remedy: 'mend it' });
    assert.deepEqual(first.said, [
      'begun one',
      'one: half way',
      'finished one',
      'begun two',
      'two: half way',
    ]);

    broken = false;
    const second = recorder();
    await runSteps(steps, second, never);
    assert.deepEqual(
      second.said.filter((line) => !line.includes('half')),
      ['skipped one', 'begun two', 'finished two', 'begun three', 'finished three'],
    );
  });

  it('SETUP-2: a step is done only for the inputs it was done with', () => {
    const stamp = join(folder, 'stamp');
    assert.equal(stampIs(stamp, fingerprint(['torch==1'])), false);
    writeStamp(stamp, fingerprint(['torch==1']));
    assert.equal(stampIs(stamp, fingerprint(['torch==1'])), true);
    assert.equal(stampIs(stamp, fingerprint(['torch==2'])), false);
    assert.notEqual(fingerprint(['ab', 'c']), fingerprint(['a', 'bc']));
  });

  it('SETUP-3: a second set-up of a folder waits for the first', async () => {
    const lock = join(folder, 'setup.lock');
    const order: string[] = [];
    const firstMayEnd = Promise.withResolvers<void>();
    const first = withLock(lock, never, noWait, async () => {
      order.push('first begins');
      await firstMayEnd.promise;
      order.push('first ends');
    });
    const second = withLock(
      lock,
      never,
      (owner: number | null) => {
        assert.equal(owner, process.pid);
        firstMayEnd.resolve();
      },
      async () => void order.push('second begins'),
    );
    await Promise.all([first, second]);
    assert.deepEqual(order, ['first begins', 'first ends', 'second begins']);
    assert.equal(existsSync(lock), false);
  });

  it('SETUP-3: the lock of a set-up that was killed blocks nobody', async () => {
    const lock = join(folder, 'setup.lock');
    writeFileSync(lock, String(NOBODY));
    assert.equal(await withLock(lock, never, noWait, async () => 'ran'), 'ran');
  });
});
