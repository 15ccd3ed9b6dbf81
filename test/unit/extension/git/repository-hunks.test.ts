/** What real git commands do to the edits of agents, and what is told of it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { GitTold } from '../../../../extension/capture/git/repository-hunks.ts';
import { Desk, OTHER_TURN, TURN } from './desk.ts';

const BEFORE = '  return prices.reduce(add, 0);\n';
const AFTER = '  const sum = prices.reduce(add, 0);\n  return Math.round(sum);\n';
const FILE = `export function total(prices) {\n${BEFORE}}\n\n\n\n\n\nexport function last(prices) {\n  return prices[0];\n}\n`;
const LAST = { before: '  return prices[0];\n', after: '  return prices.at(-1);\n' };

/** A file that is open in an editor, and one that is not, go through it alike. */
function both(name: string, run: (t: TestContext, kind: 'open' | 'closed') => Promise<void>): void {
  for (const kind of ['open', 'closed'] as const) test(`${name} (${kind})`, (t) => run(t, kind));
}

const desk = (t: TestContext, kind: 'open' | 'closed' = 'open') => new Desk(t, { 'total.js': FILE }, kind);
/** Without its id. */
const said = (told: readonly GitTold[]) => told.map(({ observationId: _, ...rest }) => rest);
const git = (action: string, survival: number | null, paths = ['total.js']) => ({
  kind: 'git',
  turnId: TURN,
  action,
  paths,
  survival,
});
const committed = (survival: number, edits: object[], turnId = TURN) => ({
  kind: 'user_edit',
  turnId,
  moment: 'commit',
  text: null,
  survival,
  edits,
});

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

both('GIT-4: a file that is checked out again loses the edit, though no commit was made', async (t, kind) => {
  const d = desk(t, kind);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('checkout', '--', 'total.js');
  assert.deepEqual(said(await d.look()), [git('checkout_file', 0)]);
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

test('GIT-4: what the user deletes by hand is no checkout; nor is what stands elsewhere in the file', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.user('total.js', AFTER, BEFORE);
  assert.deepEqual(said(await d.look()), []);
});

test('GIT-5: of a hard reset the lines that are lost are told; a soft one makes them uncommitted again', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('reset', '-q', '--hard');
  assert.deepEqual(said(await d.look()), [git('reset', 0)]);

  await d.agent('total.js', BEFORE, AFTER, OTHER_TURN);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('reset', '-q', '--soft', 'HEAD~1');
  assert.deepEqual(said(await d.look()), []);
  d.user('total.js', 'Math.round(sum)', 'Math.floor(sum)');
  d.git('commit', '-qam', 'feat: round down');
  assert.partialDeepStrictEqual(await d.look(), [{ turnId: OTHER_TURN, moment: 'commit', survival: 0.5 }]);
  d.git('reset', '-q', '--hard', 'HEAD~1');
  assert.partialDeepStrictEqual(await d.look(), [{ turnId: OTHER_TURN, action: 'reset', survival: 0 }]);
});

test('GIT-5: a commit that stands on another branch was moved, not thrown away', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('branch', 'side');
  d.git('reset', '-q', '--hard', 'HEAD~1');
  assert.deepEqual(said(await d.look()), []);
});

both(
  'GIT-6: a stash takes an edit away without a word on it, and its look waits until it is popped',
  async (t, kind) => {
    const d = desk(t, kind);
    await d.agent('total.js', BEFORE, AFTER);
    d.git('stash');
    assert.deepEqual(said(await d.look()), [git('stash', 0)]);
    assert.equal(d.watch.nextDueMs(), undefined);
    assert.deepEqual(d.watch.due(60_000), []);
    d.write('notes.txt', 'other work\n');
    d.git('commit', '-qam', 'chore: other work');
    assert.deepEqual(said(await d.look()), []);
    d.git('stash', 'pop');
    assert.deepEqual(said(await d.look()), [git('stash', 1)]);
    assert.deepEqual(d.watch.due(60_000), [{ turnId: TURN, moment: '30s', survival: 1 }]);
    d.git('commit', '-qam', 'feat: round');
    assert.deepEqual(said(await d.look()), [committed(1, [{ edit: 0, text: null }])]);
  },
);

test('GIT-6: so it does with what the user had changed, and with a file that git did not know', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.user('total.js', 'Math.round(sum)', 'sum');
  d.write('new.js', '// new\n\n');
  await d.agent('new.js', '// new\n', 'export const answer = 42;\n', OTHER_TURN);
  d.git('stash', '--include-untracked');
  assert.deepEqual(
    (await d.look()).map(({ turnId }) => turnId),
    [TURN, OTHER_TURN],
  );
  d.git('stash', 'pop');
  assert.partialDeepStrictEqual(await d.look(), [
    { turnId: TURN, action: 'stash', survival: 0.5 },
    { turnId: OTHER_TURN, action: 'stash', survival: 1 },
  ]);
});

both('GIT-6: another branch takes a committed edit away, and brings it back', async (t, kind) => {
  const d = desk(t, kind);
  d.git('branch', 'side');
  await d.agent('total.js', BEFORE, AFTER);
  await d.agent('total.js', LAST.before, LAST.after, TURN, 1);
  partly(d, 'y', 'n');
  d.git('commit', '-qm', 'feat: round');
  await d.look();
  d.git('stash');
  await d.look();
  d.git('switch', '-q', 'side');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'switch', survival: 0 }]);
  d.git('switch', '-q', 'main');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'switch', survival: 2 / 3 }]);
  d.git('stash', 'pop');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'stash', survival: 1 }]);
  d.git('commit', '-qam', 'feat: the last');
  assert.partialDeepStrictEqual(await d.look(), [{ moment: 'commit', survival: 1 }]);
});

test('GIT-6: a merge brings in other work, and says nothing of what it replaces', async (t) => {
  const d = desk(t);
  d.git('switch', '-qc', 'side');
  d.write('total.js', FILE.replace(BEFORE, '  return sumOf(prices);\n'));
  d.git('commit', '-qam', 'feat: sumOf');
  d.git('switch', '-q', 'main');
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('merge', '-q', '-X', 'theirs', '-m', 'Merge side', 'side');
  assert.deepEqual(said(await d.look()), [git('merge', 0)]);
});

test('GIT-7: several commands between two looks are told in their order', async (t) => {
  const d = desk(t);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  d.git('revert', '--no-edit', 'HEAD');
  assert.partialDeepStrictEqual(await d.look(), [
    { moment: 'commit', survival: 1 },
    { action: 'revert', survival: 0 },
  ]);
});

test('GIT-7: two windows tell the same with the same ids', async (t) => {
  const d = desk(t);
  const other = new Desk(t, {}, 'closed', d);
  await d.agent('total.js', BEFORE, AFTER);
  await other.sees('total.js', AFTER);
  const run = async (...args: string[]): Promise<string> => {
    d.git(...args);
    const [told, again] = [await d.look(), await other.look()];
    assert.equal(told.length, 1, args.join(' '));
    assert.deepEqual(told, again, args.join(' '));
    return told[0]?.observationId ?? '';
  };
  const ids = [
    await run('stash'),
    await run('stash', 'pop'),
    await run('commit', '-qam', 'feat: round'),
    await run('revert', '--no-edit', 'HEAD'),
  ];
  assert.equal(new Set(ids).size, 4);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('GIT-8: where no edit is followed and no commit remembered, nothing is read', async (t) => {
  const d = desk(t);
  d.git('commit', '-q', '--allow-empty', '-m', 'private: nobody asked');
  assert.deepEqual(await d.look(), []);
  assert.equal(d.memento.size, 0);
});

/** Stages the hunks of total.js one by one. */
function partly(d: Desk, ...answers: ('y' | 'n')[]): void {
  const diff = d.git('diff', '--unified=0', 'total.js').split(/^(?=@@)/m);
  const wanted = diff.filter((_, at) => at === 0 || answers[at - 1] === 'y').join('');
  d.write('../staged.patch', wanted);
  d.git('apply', '--cached', '--unidiff-zero', '../staged.patch');
}
