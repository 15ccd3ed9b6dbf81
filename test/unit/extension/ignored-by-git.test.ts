/** Which of many files git ignores, whatever they are called, as git itself says. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ignoredByGit } from '../../../extension/capture/ignore/ignored-by-git.ts';
import { sampleRepository } from './repository.ts';

const never = new AbortController().signal;

test('CAP-10: of many files those that git ignores are known by their order, whatever their names', async (t) => {
  const { root, git } = sampleRepository(t);
  const write = (path: string): string => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'x');
    return file;
  };
  writeFileSync(join(root, '.gitignore'), '*.log\n!kept.log\n/dist/\ngrüße "1".txt\n');
  const tracked = write('tracked.log');
  git('add', '--force', 'tracked.log');
  const free = ['src/a.ts', 'kept.log', 'grüße.txt', 'new\nline.txt', '::\tx.ts'].map(write);
  const ignored = ['a.log', 'src/deep/b.log', 'dist/c.js', 'grüße "1".txt', 'new\nline.log'].map(write);
  const many = Array.from({ length: 250 }, (_, index) =>
    join(root, `many/${index}.${index % 2 ? 'log' : 'ts'}`),
  );
  const found = await ignoredByGit([...free, ...ignored, tracked, ...many], 'git', never);
  assert.deepEqual(
    [...found].toSorted(),
    [...ignored, ...many.filter((path) => path.endsWith('.log'))].toSorted(),
  );
});

test('CAP-10: a file in no repository is ignored by none, and one in a repository is not guessed at without git', async (t) => {
  const { root } = sampleRepository(t);
  assert.equal((await ignoredByGit(['/nowhere/a.ts'], null, never)).size, 0);
  await assert.rejects(ignoredByGit([join(root, 'a.ts')], null, never), /Git extension is off/);
  await assert.rejects(ignoredByGit([join(root, 'a.ts')], 'no-such-git', never));
});
