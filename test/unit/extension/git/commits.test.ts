/** What real commits, amends and reverts do to the edits of agents, and what is told of it. */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Desk, OTHER_TURN, TURN } from './desk.ts';
import { AFTER, BEFORE, both, committed, desk, FILE, git, LAST, partly, said } from './told.ts';

both(
  'GIT-1: a commit tells what it took: all of it, and the lines that the user changed',
  async (t, kind) => {
    const d = desk(t, kind);
    await d.agent('total.js', BEFORE, AFTER);
    d.git('commit', '-qam', 'feat: round');
    assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 0, text: null }])]);
    assert.deepEqual(said(await d.look()), []);

    await d.agent('total.js', LAST.before, LAST.after, OTHER_TURN);
    d.user('total.js', 'prices.at(-1)', 'prices.at(-1) ?? null');
    d.git('commit', '-qam', 'feat: the last');
    assert.deepEqual(said(await d.look()), [
      committed(0, [{ edit: 0, text: '  return prices.at(-1) ?? null;' }], OTHER_TURN),
    ]);
  },
);

both(
  'GIT-1: with git add -p a commit is told by what it holds, and what is left is followed on',
  async (t, kind) => {
    const d = desk(t, kind);
    await d.agent('total.js', BEFORE, AFTER);
    await d.agent('total.js', LAST.before, LAST.after, TURN, 1);
    partly(d, 'n', 'y');
    d.git('commit', '-qm', 'feat: the last');
    assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 1, text: null }])]);
    d.user('total.js', 'Math.round(sum)', 'sum');
    d.git('commit', '-qam', 'feat: the rest');
    assert.deepEqual(said(await d.look()), [
      committed(2 / 3, [
        { edit: 0, text: '  const sum = prices.reduce(add, 0);\n  return sum;' },
        { edit: 1, text: null },
      ]),
    ]);
  },
);

test('GIT-1: what was staged before the user went on is told as it was committed, and then what became of it', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('add', '--all');
  d.user('total.js', 'Math.round(sum)', 'Math.floor(sum)');
  d.git('commit', '-qm', 'feat: round');
  assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 0, text: null }])]);
  d.git('commit', '-qam', 'feat: round down');
  assert.partialDeepStrictEqual(await d.look(), [{ moment: 'commit', survival: 0.5 }]);
  d.user('total.js', 'Math.floor(sum)', 'Math.ceil(sum)');
  d.git('commit', '-qam', 'feat: round up');
  assert.deepEqual(said(await d.look()), []);
});

test('GIT-1: what the user deleted before the commit is gone from it; a formatter corrects nothing', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  await d.agent('total.js', LAST.before, LAST.after, TURN, 1);
  d.user('total.js', LAST.after, '');
  d.user('total.js', AFTER, AFTER.replaceAll('  ', '\t'));
  d.git('commit', '-qam', 'feat: round');
  assert.deepEqual(said(await d.look()), [
    committed(2 / 3, [
      { edit: 0, text: null },
      { edit: 1, text: '' },
    ]),
  ]);
});

test('GIT-1: a text with a secret is not told, nor are lines that the user only added', async (t) => {
  const d = desk(t);
  d.secret = 'hunter-2';
  await d.agent('total.js', BEFORE, AFTER);
  await d.agent('total.js', LAST.before, LAST.after, OTHER_TURN);
  d.user('total.js', 'prices.at(-1)', 'prices.hunter-2');
  d.user('total.js', '  return Math.round(sum);\n', '  log(sum);\n  return Math.round(sum);\n');
  d.git('commit', '-qam', 'feat: round');
  assert.deepEqual(said(await d.look()), [
    committed(1, [{ edit: 0, text: null }]),
    committed(0, [], OTHER_TURN),
  ]);
});

test('GIT-1: CRLF in the work tree and LF in the commit are the same text', async (t) => {
  const d = new Desk(t, { 'total.js': FILE });
  d.git('config', 'core.autocrlf', 'true');
  d.git('rm', '-q', '--cached', 'total.js');
  d.git('reset', '-q', '--hard');
  assert.ok(d.read('total.js').includes('\r\n'));
  await d.agent('total.js', BEFORE.replace('\n', '\r\n'), AFTER.replaceAll('\n', '\r\n'));
  d.user('total.js', 'Math.round(sum)', 'Math.floor(sum)');
  d.git('commit', '-qam', 'feat: round');
  assert.deepEqual(said(await d.look()), [
    committed(0.5, [{ edit: 0, text: '  const sum = prices.reduce(add, 0);\n  return Math.floor(sum);' }]),
  ]);
});

test('GIT-1: a commit made as soon as the edit is there is the agent’s own: the next one tells, and its revert is known', async (t) => {
  const d = desk(t);
  d.nowMs = Date.now();
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round, says the agent');
  assert.deepEqual(said(await d.look()), []);
  d.nowMs = 0;
  d.watch.arrived(TURN, `${TURN}/0`, d.nowMs);
  d.user('total.js', 'Math.round(sum)', 'Math.floor(sum)');
  d.git('commit', '-qam', 'feat: round down');
  assert.partialDeepStrictEqual(await d.look(), [{ moment: 'commit', survival: 0.5 }]);
  d.git('revert', '--no-edit', 'HEAD');
  d.git('revert', '--no-edit', 'HEAD~2');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'revert' }, { action: 'revert' }]);
});

test('GIT-2: an amend tells what it made of the commit, once, and nothing when it only rewords it', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('commit', '-q', '--amend', '-m', 'feat: round the total');
  assert.deepEqual(said(await d.look()), []);
  d.user('total.js', 'Math.round(sum)', 'Math.floor(sum)');
  d.git('commit', '-qa', '--amend', '--no-edit');
  assert.deepEqual(said(await d.look()), [
    committed(0.5, [{ edit: 0, text: '  const sum = prices.reduce(add, 0);\n  return Math.floor(sum);' }]),
  ]);
});

both('GIT-3: a revert goes to the turn whose commit it takes back, once', async (t, kind) => {
  const d = desk(t, kind);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('revert', '--no-edit', 'HEAD');
  assert.deepEqual(said(await d.look()), [git('revert', 0)]);
  assert.deepEqual(said(await d.look()), []);
  d.git('commit', '-q', '--allow-empty', '-m', 'This reverts commit 0123456789.');
  assert.deepEqual(said(await d.look()), []);
});

test('GIT-3: a revert is known after a restart, and after a rebase and an amend gave the commit other names', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.reopen();
  await d.look();
  d.git('switch', '-qc', 'side', 'HEAD~1');
  d.git('commit', '-q', '--allow-empty', '-m', 'chore: other work');
  d.git('switch', '-q', 'main');
  d.git('rebase', '-q', 'side');
  d.git('commit', '-q', '--amend', '-m', 'feat: round it');
  d.git('revert', '--no-edit', 'HEAD');
  d.reopen();
  assert.deepEqual(said(await d.look()), [git('revert', null, [])]);
  d.reopen();
  assert.deepEqual(said(await d.look()), []);
});

test('GIT-3: another commit of the same author in the same second is another', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  d.write('notes.txt', 'two\n');
  d.git('commit', '-qam', 'docs: two');
  await d.look();
  d.git('revert', '--no-edit', 'HEAD');
  assert.deepEqual(said(await d.look()), []);
});

test('GIT-8: a turn that edited files of two repositories is followed in the other one', async (t) => {
  const d = desk(t);
  const other = new Desk(t, { 'total.js': FILE });
  await d.agent('total.js', BEFORE, AFTER);
  await d.alsoIn(other, 'total.js', LAST.before, LAST.after);
  d.git('commit', '-qam', 'feat: round');
  assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 0, text: null }])]);
  d.git('commit', '-q', '--allow-empty', '-m', 'chore: more');
  assert.deepEqual(said(await d.look()), []);
  other.git('commit', '-qam', 'feat: the last');
  assert.deepEqual(said(await d.lookIn(other)), [
    committed(1, [
      { edit: 0, text: null },
      { edit: 1, text: null },
    ]),
  ]);
});

test('GIT-7: what could not be read at one look is read at the next', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  const head = join(d.root, '.git', 'HEAD');
  renameSync(head, `${head}.away`);
  const warnings: string[] = [];
  d.warn = (message) => warnings.push(message);
  assert.deepEqual(await d.look(), []);
  assert.match(warnings.join(), /was not read/);
  renameSync(`${head}.away`, head);
  assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 0, text: null }])]);
});
