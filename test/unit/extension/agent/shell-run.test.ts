/** Commands in a terminal of their own: what they show, how they end, and that nothing of them is left. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runInShell } from '../../../../extension/agent/shell-run.ts';
import { eventually } from '../../../e2e/harness/process-group.ts';

const never = new AbortController().signal;
const skip = process.platform === 'win32' ? 'these are commands of a Unix shell' : false;

function folder(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'apprentice-shell-')));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it has ended.
    return false;
  }
};

test('AGENT-7: a program sees a terminal, and what the screen shows at its end is the output', {
  skip,
}, async (t) => {
  const cwd = folder(t);
  const run = await runInShell(
    `test -t 1 && pwd && printf '10%%\\r100%%\\n\\033[31mred\\033[0m\\n' && echo "$PAGER" && exit 3`,
    cwd,
    never,
  );
  assert.deepEqual(run, { exitCode: 3, output: `${cwd}\n100%\nred\ncat`, ended: 'itself' });
});

test('AGENT-7: of a long output the beginning and the end are shown', { skip }, async (t) => {
  const { output } = await runInShell('seq 1 20000', folder(t), never);
  assert.match(output, /^1\n2\n[\s\S]+\[rows left out\]\n[\s\S]+\n19999\n20000$/);
});

test('AGENT-7: one that takes too long is ended with all that it started', { skip }, async (t) => {
  const stubborn = `trap '' TERM; sleep 60 & echo "pid $!"; wait; sleep 60`;
  const run = await runInShell(stubborn, folder(t), never, 500);
  assert.deepEqual([run.exitCode, run.ended], [null, 'late']);
  const pid = Number(/pid (\d+)/.exec(run.output)?.[1]);
  assert.ok(pid > 0 && (await eventually(() => !isAlive(pid), 5_000)), run.output);
});

test('AGENT-7: so is one that the user stops', { skip }, async (t) => {
  const stop = new AbortController();
  const cwd = folder(t);
  const running = runInShell('echo "pid $$"; touch begun; sleep 60', cwd, stop.signal);
  assert.ok(await eventually(() => existsSync(join(cwd, 'begun')), 10_000));
  stop.abort();
  const run = await running;
  assert.equal(run.ended, 'stopped');
  const pid = Number(/pid (\d+)/.exec(run.output)?.[1]);
  assert.ok(pid > 0 && !isAlive(pid), run.output);
});
