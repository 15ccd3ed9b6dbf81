/** Every way in which a set-up is known to fail names what is wrong and what to do; asked of the real tools where they are quick. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { explainFailure, SetupError } from '../../../gpu-worker/setup/errors.mjs';
import { modulesMatchLock, npm } from '../../../gpu-worker/setup/npm.mjs';
import { runProcess } from '../../../gpu-worker/setup/run-process.mjs';
import { checkFreeSpace, findPython } from '../../../gpu-worker/setup/runtime.mjs';
import { runtime } from '../../fixtures/runtime.ts';

const never = new AbortController().signal;
/** Nobody listens on port 1 of the loopback. */
const NO_REGISTRY = 'http://127.0.0.1:1/';

describe('SETUP-4: a failing set-up says what is wrong and what to do', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'apprentice-setup-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('when npm cannot reach its registry', async () => {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const args = [
      'install',
      'zod',
      `--registry=${NO_REGISTRY}`,
      '--fetch-retries=0',
      `--cache=${folder}/cache`,
    ];
    await assert.rejects(npm(args, { cwd: folder, progress: () => undefined, signal: never }), (error) => {
      assert.ok(error instanceof SetupError);
      assert.match(error.message, /^npm install: the registry cannot be reached \(ECONNREFUSED\)/);
      assert.match(error.remedy, /npm config get registry/);
      return true;
    });
  });

  it('when pip cannot reach its registry', async () => {
    const args = [
      '-m',
      'pip',
      'install',
      '--isolated',
      '--retries=1',
      `--index-url=${NO_REGISTRY}`,
      'no-such-thing',
    ];
    const what = {
      what: 'pip install',
      limitMs: 60_000,
      signal: never,
      env: { PIP_CONFIG_FILE: devNull },
    };
    await assert.rejects(runProcess(runtime().python, args, what), (error) => {
      assert.ok(error instanceof SetupError);
      assert.match(error.message, /^pip install: the registry cannot be reached/);
      return true;
    });
  });

  it('when a tool is missing, hangs or is cancelled', async () => {
    const options = { what: 'the tool', limitMs: 60_000, signal: never };
    await assert.rejects(
      runProcess(join(folder, 'missing'), [], options),
      /the tool failed .*could not be started/,
    );
    const hang = ['-e', 'setInterval(() => {}, 1000); console.log("up")'];
    await assert.rejects(runProcess(process.execPath, hang, { ...options, limitMs: 300 }), /not done after/);
    const cancel = new AbortController();
    const running = runProcess(process.execPath, hang, {
      ...options,
      signal: cancel.signal,
      onLine: () => cancel.abort(),
    });
    await assert.rejects(running, /cancelled/);
  });

  for (const [output, message] of [
    ['npm error code ENOSPC', /the disk is full/],
    ['OSError: [Errno 28] No space left on device', /the disk is full/],
    [
      "npm error code E404\nnpm error 404  'node-plan9@24' is not in this registry.",
      /does not carry node-plan9@24/,
    ],
    ['ERROR: No matching distribution found for torch==2.13.0', /pip finds no torch==2.13.0/],
    ['getaddrinfo ENOTFOUND registry.npmjs.org', /cannot be reached \(ENOTFOUND\)/],
    ['SSLError(SSLCertVerificationError(1, "certificate verify failed"))', /certificate was not accepted/],
  ] as const) {
    it(`by reading "${output.slice(0, 40)}"`, () => {
      assert.match(explainFailure('the step', output, 'exit code 1').message, message);
    });
  }

  it('shows the cause where a tool ends with its usage', () => {
    const output = `npm error \`npm ci\` can only install when in sync\n${'usage line\n'.repeat(40)}`;
    assert.match(explainFailure('npm ci', output, 'exit code 1').message, /can only install when in sync/);
  });

  it('when the disk has no room', () => {
    assert.throws(() => checkFreeSpace(join(folder, 'not', 'there'), 1e18), /GB free; .* are needed/);
    checkFreeSpace(folder, 1);
  });

  it('when no Python will do', {
    skip: process.platform === 'win32' && 'its fakes are shell scripts',
  }, () => {
    const before = process.env['PYTHON'];
    const fake = (name: string, version: string, venv: string): void => {
      const path = join(folder, name);
      writeFileSync(path, `#!/bin/sh\nprintf '%s\\n%s\\n%s\\n' ${path} ${version} ${venv}\n`);
      chmodSync(path, 0o755);
      process.env['PYTHON'] = path;
    };
    try {
      fake('old', '3.9', 'True');
      assert.throws(findPython, /No Python >= 3.10 found .*old is 3.9/);
      fake('bare', '3.11', 'False');
      assert.throws(findPython, (error) => error instanceof SetupError && /python3-venv/.test(error.remedy));
      fake('good', '3.12', 'True');
      assert.deepEqual(findPython(), { path: join(folder, 'good'), version: '3.12' });
    } finally {
      if (before === undefined) delete process.env['PYTHON'];
      else process.env['PYTHON'] = before;
    }
  });

  it('SETUP-2: node_modules count as installed only when they are what the lock file names', () => {
    const root = join(folder, 'modules');
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    const write = (file: string, packages: object): void =>
      writeFileSync(join(root, file), JSON.stringify({ packages }));
    const zod = { version: '4.6.7', integrity: 'sha512-a' };
    const other = { version: '1.0.0', integrity: 'sha512-b', optional: true };
    write('package-lock.json', { '': {}, 'node_modules/zod': zod, 'node_modules/elsewhere': other });
    assert.equal(modulesMatchLock(root), false, 'nothing is installed');
    const record = 'node_modules/.package-lock.json';
    write(record, { 'node_modules/zod': zod });
    assert.equal(modulesMatchLock(root), true, 'what another platform wants is not missing');
    write(record, { 'node_modules/zod': { ...zod, integrity: 'sha512-c' } });
    assert.equal(modulesMatchLock(root), false, 'another package under the same name');
    write(record, {});
    assert.equal(modulesMatchLock(root), false);
  });
});
