/** Commits are read from a real repository's reflog: what made them, what they replace, since when. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diffSha256 } from '../../../agent-server/environment/commit-message.ts';
import {
  commitObservation,
  commitObservationId,
  isCommit,
  readReflog,
} from '../../../extension/commit/commit-reader.ts';
import { gitIn } from '../../../extension/commit/git.ts';
import { entriesSince, parseReflog } from '../../../extension/commit/reflog.ts';
import { readStaged } from '../../../extension/commit/staged-change.ts';
import { sampleRepository, silentLog } from './repository.ts';

const same = async (text: string): Promise<string> => text;
const cleaning = { clean: same, scrub: same };

const place = (root: string) => ({ root, binary: 'git', ...cleaning });
const stagedIn = (root: string) => readStaged(place(root), AbortSignal.timeout(10_000), silentLog);
const observed = (root: string, entry: Parameters<typeof commitObservation>[2]) =>
  commitObservation(place(root), root, entry, 'terminal', new Date());

test('CAP-1: what was staged and what was committed have the same tree and the same diff hash', async (t) => {
  const { root, git } = sampleRepository(t);
  writeFileSync(join(root, 'notes.txt'), 'one\ntwo\n');
  git('add', '.');
  const before = git('ls-files', '--stage', '--debug');
  const staged = await stagedIn(root);
  assert.equal(git('ls-files', '--stage', '--debug'), before, 'the index was touched');
  assert.match(staged.diff, /\+two/);

  git('commit', '-qm', 'docs: second line');
  const [entry] = await readReflog(gitIn({ root, binary: 'git' }));
  assert.ok(entry && isCommit(entry));
  const observation = await observed(root, entry);
  assert.equal(observation.tree, staged.stagedTree);
  assert.equal(observation.diffSha256, diffSha256(staged.diff));
  assert.equal(observation.parents[0], staged.head);
  assert.equal(observation.message, 'docs: second line');
});

test('CAP-1: the first commit of a repository is read against nothing', async (t) => {
  const { root, git } = sampleRepository(t, 'empty');
  writeFileSync(join(root, 'a.txt'), 'a\n');
  git('add', '.');
  const staged = await stagedIn(root);
  assert.equal(staged.head, null);
  git('commit', '-qm', 'feat: begin');
  const [entry] = await readReflog(gitIn({ root, binary: 'git' }));
  assert.ok(entry && isCommit(entry));
  const observation = await observed(root, entry);
  assert.equal(observation.diffSha256, diffSha256(staged.diff));
});

test('CAP-2: an amend names what it replaces; checkouts and resets are no commits', async (t) => {
  const { root, git } = sampleRepository(t);
  const first = git('rev-parse', 'HEAD').trim();
  git('commit', '-q', '--amend', '-m', 'feat: begin well\n\nWith a body.');
  git('checkout', '-q', '-b', 'side');
  git('commit', '-q', '--allow-empty', '-m', 'chore: more');
  git('reset', '-q', '--hard', 'HEAD~1');
  const entries = await readReflog(gitIn({ root, binary: 'git' }));
  assert.deepEqual(
    entries.map(({ action }) => action),
    [null, 'commit', null, 'amend', 'commit'],
  );
  const amended = entries[3];
  assert.ok(amended && isCommit(amended));
  const observation = await observed(root, amended);
  assert.equal(observation.replaces, first);
  assert.equal(observation.message, 'feat: begin well\n\nWith a body.');
});

const record = (sha: string, unixSeconds: number, subject: string) =>
  [sha.repeat(40), 'f'.repeat(40), '', `HEAD@{${unixSeconds}}`, subject, 'message\n'].join('\0');
const reflog = (...records: string[]) => parseReflog(`${records.join('\0\n')}\0\n`);

test('CAP-2: squash, merge, rebase, cherry-pick and revert are told apart by the reflog', () => {
  const subjects = {
    'rebase (squash): both': 'squash',
    'rebase -i (fixup): both': 'squash',
    'rebase (pick): one': 'rebase',
    'rebase (finish): returning to refs/heads/main': null,
    'commit (merge): Merge branch': 'merge',
    "merge side: Merge made by the 'ort' strategy.": 'merge',
    'merge side: Fast-forward': null,
    'pull origin main: Fast-forward': null,
    'cherry-pick: fix': 'cherry-pick',
    'revert: Revert "fix"': 'revert',
    'commit (initial): begin': 'commit',
  };
  for (const [subject, action] of Object.entries(subjects)) {
    assert.equal(reflog(record('a', 1, subject))[0]?.action, action, subject);
  }
});

test('CAP-3: only what came after the proposal counts, also when HEAD visits a commit twice', () => {
  const entries = reflog(
    record('c', 40, 'commit: third'),
    record('a', 30, 'reset: moving to HEAD~1'),
    record('b', 20, 'commit: second'),
    record('a', 10, 'commit: first'),
  );
  const since = entriesSince(entries, { head: 'a'.repeat(40), createdAtMs: 15_000 });
  assert.deepEqual(
    since.map(({ sha }) => sha[0]),
    ['b', 'a', 'c'],
  );
});

test('CAP-4: two windows give the same commit the same id, another commit another', () => {
  const [one, other] = reflog(record('a', 1, 'commit: x'), record('b', 2, 'commit: y'));
  assert.ok(one && other);
  assert.equal(commitObservationId('/r', one), commitObservationId('/r', { ...one, message: 'other' }));
  assert.notEqual(commitObservationId('/r', one), commitObservationId('/r', other));
  assert.notEqual(commitObservationId('/r', one), commitObservationId('/s', one));
});

test('CAP-8: a secret in a commit message does not leave the window either', async (t) => {
  const { root, git } = sampleRepository(t);
  git('commit', '--allow-empty', '-qm', 'fix: the key is hunter-2-and-more');
  const [entry] = await readReflog(gitIn({ root, binary: 'git' }));
  assert.ok(entry && isCommit(entry));
  const scrub = async (text: string): Promise<string> => text.replace('hunter-2-and-more', '<secret>');
  const place = { root, binary: 'git', ...cleaning, scrub };
  const { message } = await commitObservation(place, root, entry, 'terminal', new Date());
  assert.equal(message, 'fix: the key is <secret>');
});

test('CAP-1: a diff larger than the limit is cut at the same place on both sides', async (t) => {
  const { root, git } = sampleRepository(t);
  writeFileSync(join(root, 'large.txt'), 'a line of text that repeats\n'.repeat(80_000));
  git('add', '.');
  const place = { root, binary: 'git', ...cleaning };
  const staged = await readStaged(place, AbortSignal.timeout(20_000), silentLog);
  assert.equal(staged.diff.length, 1_048_576);
  git('commit', '-qm', 'feat: large');
  const [entry] = await readReflog(gitIn(place));
  assert.ok(entry && isCommit(entry));
  const observation = await commitObservation(place, root, entry, 'terminal', new Date());
  assert.equal(observation.diffSha256, diffSha256(staged.diff));
});
