/** What git does to the edits of agents without a commit, and what is told of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, OTHER_TURN, TURN } from './desk.ts';
import { AFTER, BEFORE, both, committed, desk, FILE, git, LAST, partly, said } from './told.ts';

both('GIT-4: a file that is checked out again loses the edit, though no commit was made', async (t, kind) => {
  const d = desk(t, kind);
  await d.agent('total.js', BEFORE, AFTER);
  d.git('checkout', '--', 'total.js');
  assert.deepEqual(said(await d.look()), [git('checkout_file', 0)]);
  assert.deepEqual(said(await d.look()), []);
});

both(
  'GIT-4: a stash that has taken the lines and is still to be written down is no checkout',
  async (t, kind) => {
    const d = desk(t, kind);
    await d.agent('total.js', BEFORE, AFTER);
    const sha = d.git('stash', 'create').trim();
    d.git('checkout', '--', 'total.js');
    assert.deepEqual(said(await d.glance()), []);
    d.git('stash', 'store', sha);
    assert.deepEqual(said(await d.look()), [git('stash', 0)]);
  },
);

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

test('GIT-6: a committed edit that is set aside is committed still, another is not', async (t) => {
  const d = desk(t);
  d.git('branch', 'side');
  await d.agent('total.js', BEFORE, AFTER);
  d.git('commit', '-qam', 'feat: round');
  await d.look();
  d.git('switch', '-q', 'side');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'switch', survival: 0 }]);
  assert.ok(d.watch.isCommitted(TURN, `${TURN}/0`));
  await d.agent('total.js', LAST.before, LAST.after, OTHER_TURN);
  d.git('stash');
  assert.partialDeepStrictEqual(await d.look(), [{ action: 'stash', survival: 0 }]);
  assert.ok(!d.watch.isCommitted(OTHER_TURN, `${OTHER_TURN}/0`));
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
