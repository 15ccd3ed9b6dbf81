/** A disk that fills up, for real: a file system of a few MiB, mounted in a name space of the test's own. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const run = promisify(execFile);
const folder = temporaryFolder();

/** `command` with a small tmpfs mounted at `folder`, seen by it alone. */
function onSmallDisk(command: string): string[] {
  return ['-rm', 'sh', '-c', `mount -t tmpfs -o size=6m none '${folder}' && ${command}`];
}

function whyNot(): string | false {
  if (process.platform !== 'linux') return 'a small file system is made by the means of Linux';
  try {
    execFileSync('unshare', onSmallDisk('true'), { stdio: 'ignore' });
    return false;
  } catch {
    return 'this system lets nobody mount a small file system in a name space of their own';
  }
}

describe('A full disk', () => {
  it('DISK-1, DISK-2: intake refuses by name, nothing acknowledged is lost, and the loop goes on when there is space', {
    skip: whyNot(),
    timeout: 60_000,
  }, async () => {
    const program = join(repositoryRoot, 'test', 'fixtures', 'full-disk.ts');
    const { stdout } = await run(
      'unshare',
      onSmallDisk(`exec '${process.execPath}' '${program}' '${folder}'`),
    );
    const seen: unknown = JSON.parse(stdout);
    assert.ok(typeof seen === 'object' && seen !== null && 'acknowledged' in seen && 'detail' in seen);
    const { acknowledged, detail, ...rest } = seen;
    assert.ok(Number(acknowledged) > 100, `only ${acknowledged} were taken in`);
    assert.match(String(detail), /disk .* full/);
    assert.deepEqual(rest, {
      refused: [{ code: 'disk_full', status: 507 }],
      placedWhileFull: 0,
      turnRefusal: 'disk_full',
      lost: 0,
      set: { aside: null, found: acknowledged },
    });
  });

  it('DISK-3: a file that finds no space is a full disk by name, wherever it was written', () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    assert.equal(toApprenticeError(error).code, 'disk_full');
  });
});
