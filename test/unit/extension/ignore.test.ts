/** What the lists name is not captured; of a diff only its name is left, the same for the staged change and the commit. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commitMessageMessages, diffSha256 } from '../../../agent-server/environment/commit-message.ts';
import { IgnoreLists } from '../../../extension/capture/ignore/lists.ts';
import { withhold } from '../../../extension/capture/ignore/withhold.ts';
import { commitObservation, isCommit, readReflog } from '../../../extension/commit/commit-reader.ts';
import { gitIn } from '../../../extension/commit/git.ts';
import { readStaged } from '../../../extension/commit/staged-change.ts';
import { sampleRepository, silentLog } from './repository.ts';

test('CAP-10: lists are read as .gitignore is, each relative to its folder', () => {
  const lists = new IgnoreLists([
    { folder: '/projects/shop', patterns: '# keys\nsecrets/\n*.pem\n!public.pem\n/top.txt\n' },
    { folder: '/projects/shop', patterns: ['!secrets/', 'drafts/**'] },
    { folder: '/other', patterns: ['*'] },
  ]);
  const named = [
    '/projects/shop/secrets/deep/a.ts',
    '/projects/shop/x/key.pem',
    '/projects/shop/top.txt',
    '/projects/shop/drafts/a/b',
  ];
  for (const path of named) assert.equal(lists.names(path), true, path);
  const free = [
    '/projects/shop/public.pem',
    '/projects/shop/x/top.txt',
    '/projects/shop',
    '/projects/shopping/secrets/a',
    '/projects/..a',
  ];
  for (const path of free) assert.equal(lists.names(path), false, path);
});

test('CAP-11: a withheld file is told by its name on both sides of the match, whatever its name', async (t) => {
  const { root, git } = sampleRepository(t);
  writeFileSync(join(root, 'old key.txt'), 'the key is under the mat\nand nowhere else\n');
  git('add', '.');
  git('commit', '-qm', 'feat: a key');
  git('mv', 'old key.txt', 'schlüssel.txt');
  writeFileSync(join(root, 'schlüssel.txt'), 'the key is under the mat\nand somewhere else\n');
  writeFileSync(join(root, 'notes.txt'), 'one\n@@ -1 +1 @@\n--- a/old key.txt\n+++ open\n');
  git('add', '.');

  const clean = async (diff: string): Promise<string> => withhold(diff, (path) => path === 'schlüssel.txt');
  const place = { root, binary: 'git', clean, scrub: async (text: string) => text };
  const staged = await readStaged(place, AbortSignal.timeout(10_000), silentLog);
  assert.doesNotMatch(staged.diff, /somewhere|nowhere|under the mat/);
  assert.match(staged.diff, /\n\+--- a\/old key\.txt\n/, 'the lines of other files stay');
  assert.match(staged.diff, /\nrename from old key\.txt\n/);
  const [, request] = commitMessageMessages(staged.diff, 220, (text) => text.length / 4);
  assert.match(request?.content ?? '', /renamed \(content not shown\)/);

  git('commit', '-qm', 'feat: move it');
  const [entry] = await readReflog(gitIn(place));
  assert.ok(entry && isCommit(entry));
  const observation = await commitObservation(place, root, entry, 'terminal', new Date());
  assert.equal(observation.diffSha256, diffSha256(staged.diff));
  assert.equal(observation.tree, staged.stagedTree);
});

test('CAP-11: the old name of a renamed file counts as much as the new one', () => {
  const diff = [
    'diff --git a/secret.txt b/open.txt',
    'similarity index 50%',
    'rename from secret.txt',
    'rename to open.txt',
    '--- a/secret.txt',
    '+++ b/open.txt',
    '@@ -1 +1 @@',
    '-hidden',
    '+shown',
    '',
  ].join('\n');
  assert.doesNotMatch(
    withhold(diff, (path) => path === 'secret.txt'),
    /hidden|shown/,
  );
  assert.equal(
    withhold(diff, () => false),
    diff,
  );
});
