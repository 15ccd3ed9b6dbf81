/** What a message is asked for: the staged part alone, or what the last commit will be. Real git. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diffSha256 } from '../../../agent-server/environment/commit-message.ts';
import { commitObservation, isCommit, readReflog } from '../../../extension/commit/commit-reader.ts';
import { gitIn } from '../../../extension/commit/git.ts';
import { readStaged } from '../../../extension/commit/staged-change.ts';
import { sampleRepository, silentLog } from './repository.ts';

const same = async (text: string): Promise<string> => text;
const place = (root: string) => ({ root, binary: 'git', clean: same, scrub: same });
const stagedIn = (root: string, commit: 'new' | 'amend' = 'new') =>
  readStaged(place(root), AbortSignal.timeout(10_000), silentLog, commit);

async function observedIn(root: string) {
  const [entry] = await readReflog(gitIn({ root, binary: 'git' }));
  assert.ok(entry && isCommit(entry));
  return commitObservation(place(root), root, entry, 'terminal', new Date());
}

test('DIFF-3: with git add -p the staged part alone is shown, and found again in its commit', async (t) => {
  const { root, git } = sampleRepository(t);
  const lines = (first: string, last: string) => `${first}\n2\n3\n4\n5\n6\n7\n8\n9\n${last}\n`;
  writeFileSync(join(root, 'notes.txt'), lines('1', '10'));
  git('commit', '-qam', 'docs: count');
  writeFileSync(join(root, 'notes.txt'), lines('one', 'ten'));
  execFileSync('git', ['add', '--patch'], {
    cwd: root,
    input: 'n\ny\n',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  writeFileSync(join(root, 'unstaged.txt'), 'secret plan\n');
  const staged = await stagedIn(root);
  assert.match(staged.diff, /\+ten/);
  assert.doesNotMatch(staged.diff, /\+one|secret plan/);
  git('commit', '-qm', 'docs: spell ten');
  const commit = await observedIn(root);
  assert.deepEqual([commit.tree, commit.diffSha256], [staged.stagedTree, diffSha256(staged.diff)]);
  // What is left is not staged: there is nothing to show.
  assert.deepEqual([(await stagedIn(root)).diff, (await stagedIn(root)).stagedTree], ['', null]);
});

test('DIFF-4: for an amend the last commit and what is staged are shown, and found again in the amended commit', async (t) => {
  const { root, git } = sampleRepository(t);
  writeFileSync(join(root, 'notes.txt'), 'one\ntwo\n');
  git('commit', '-qam', 'feat: two');
  writeFileSync(join(root, 'notes.txt'), 'one\ntwo\nthree\n');
  const alone = await stagedIn(root, 'amend');
  assert.match(alone.diff, /\+two/);
  assert.doesNotMatch(alone.diff, /\+three/);
  git('add', '--all');
  const staged = await stagedIn(root, 'amend');
  assert.match(staged.diff, /\+two\n\+three/);
  assert.equal(staged.replaces, staged.head);
  git('commit', '-q', '--amend', '-m', 'feat: two and three');
  const commit = await observedIn(root);
  assert.deepEqual([commit.action, commit.replaces], ['amend', staged.head]);
  assert.deepEqual([commit.tree, commit.diffSha256], [staged.stagedTree, diffSha256(staged.diff)]);
});

test('DIFF-4: the first commit can be amended, and none cannot', async (t) => {
  const { root, git } = sampleRepository(t);
  const staged = await stagedIn(root, 'amend');
  assert.match(staged.diff, /^\+one$/m);
  git('commit', '-q', '--amend', '-m', 'feat: begin well');
  assert.equal((await observedIn(root)).diffSha256, diffSha256(staged.diff));
  const empty = sampleRepository(t, 'empty');
  writeFileSync(join(empty.root, 'a.txt'), 'a\n');
  empty.git('add', '.');
  assert.deepEqual(
    await stagedIn(empty.root, 'amend').then(({ diff, head, replaces }) => [diff, head, replaces]),
    ['', null, null],
  );
});
