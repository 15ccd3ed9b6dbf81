/** REPLAY-1: only commits whose message can be told from their diff are replayed, oldest first. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type CommitHeader,
  readHistory,
  skipReason,
} from '../../../agent-server/environment/replay/history.ts';
import { ensureSampleRepository } from '../../../agent-server/environment/replay/sample-repository.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

const never = new AbortController().signal;
let folder = '';
let sample = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'apprentice-replay-'));
  sample = await ensureSampleRepository(join(folder, 'sample'));
});
after(() => rm(folder, { recursive: true, force: true }));

function header(change: Partial<CommitHeader>): CommitHeader {
  return {
    sha: 'a'.repeat(40),
    tree: 'b'.repeat(40),
    parents: ['c'.repeat(40)],
    authorName: 'Ada Abbot',
    authorEmail: 'ada@example.org',
    message: 'fix(parser): handle empty input',
    filesChanged: 1,
    linesChanged: 3,
    ...change,
  };
}

test('REPLAY-1 merges, reverts, version bumps, bots and unreadable changes are skipped', () => {
  const expected: [Partial<CommitHeader>, ReturnType<typeof skipReason>][] = [
    [{}, null],
    [{ parents: ['c'.repeat(40), 'd'.repeat(40)] }, 'merge'],
    [{ message: 'Revert "feat: add a cache"' }, 'revert'],
    [{ message: 'Undo the cache\n\nThis reverts commit 0123456789.' }, 'revert'],
    [{ message: 'reverse the order of lines' }, null],
    [{ message: 'v1.2.3' }, 'version bump'],
    [{ message: 'chore(release): 1.2.0' }, 'version bump'],
    [{ message: 'Release version 2.0.1' }, 'version bump'],
    [{ message: 'Bump lodash from 4.17.20 to 4.17.21' }, 'version bump'],
    [{ message: 'build(deps): bump undici to 6.1.0' }, 'version bump'],
    [{ message: 'support version 2.0 of the format' }, null],
    [{ authorName: 'dependabot[bot]' }, 'bot'],
    [{ authorName: 'release bot' }, 'bot'],
    [{ authorEmail: '1234+renovate[bot]@users.noreply.github.com' }, 'bot'],
    [{ message: 'fixup! fix the parser' }, 'unfinished'],
    [{ message: '' }, 'no message'],
    [{ linesChanged: 0 }, 'no text changed'],
    [{ filesChanged: 500 }, 'too large'],
  ];
  for (const [change, reason] of expected) {
    assert.equal(skipReason(header(change)), reason, JSON.stringify(change));
  }
});

test('REPLAY-1 the sample repository has at least 48 usable commits, no two messages the same', async () => {
  const history = await readHistory(sample, 1000, never);
  assert.ok(history.commits.length >= 48, `${history.commits.length} usable`);
  assert.equal(new Set(history.commits.map((commit) => commit.message)).size, history.commits.length);
  assert.deepEqual(history.skipped, { merge: 3, revert: 1, 'version bump': 4, bot: 3 });
  assert.equal(history.commits[0]?.message, 'chore(project): add package metadata');
  for (const commit of history.commits) {
    assert.match(
      commit.message,
      /^(feat|fix|docs|test|refactor|perf|chore)\([a-z]+\): [a-z][^\n]{5,50}[^.\n]$/,
    );
    assert.match(commit.diff, /^diff --git a\/\S+ b\/\S+\n/);
  }
});

test('REPLAY-1 the newest usable commits are taken, with the parent each was made on', async () => {
  const history = await readHistory(sample, 3, never);
  assert.deepEqual(
    history.commits.map((commit) => commit.message),
    [
      'docs(units): describe the sizes',
      'feat(wrap): add an indent for later lines',
      'chore(ci): check the formatting',
    ],
  );
  assert.equal(history.commits[2]?.parents[0], history.commits[1]?.sha);
});

test('REPLAY-2 the sample repository is the same, commit for commit, wherever it is made', async () => {
  const again = await ensureSampleRepository(join(folder, 'again'));
  const [first, second] = await Promise.all([readHistory(sample, 1, never), readHistory(again, 1, never)]);
  assert.equal(first.commits[0]?.sha, second.commits[0]?.sha);
});

test('a folder without a repository is named', async () => {
  for (const path of [folder, join(folder, 'missing')]) {
    await assert.rejects(readHistory(path, 1, never), (error) => {
      assert.ok(error instanceof ApprenticeError);
      return error.code === 'invalid_request' && error.message.includes(path);
    });
  }
});
