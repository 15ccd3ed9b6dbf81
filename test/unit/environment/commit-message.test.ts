/** The request for a commit message keeps its budget and shows every part of a change fairly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitMessageMessages, diffSha256 } from '../../../agent-server/environment/commit-message.ts';
import { diffFiles } from '../../../agent-server/environment/diff-files.ts';

const words = (text: string) => text.split(/\s+/).filter(Boolean).length;

function fileDiff(path: string, lines: readonly string[]): string {
  return [
    `diff --git a/${path} b/${path}`,
    'index 1234567..89abcde 100644',
    `--- a/${path}`,
    `+++ b/${path}`,
    '@@ -1,2 +1,3 @@ function main() {',
    ' context',
    ...lines,
    '',
  ].join('\n');
}

const user = (diff: string, budget: number) => commitMessageMessages(diff, budget, words)[1]?.content ?? '';

test('DIFF-1: a large file does not crowd out a small one, and the budget holds', () => {
  const large = fileDiff(
    'large.ts',
    Array.from({ length: 500 }, (_, i) => `+line number ${i}`),
  );
  const content = user(large + fileDiff('small.ts', ['-old', '+new']), 60);
  assert.match(content, /\+new/);
  assert.match(content, /\+line number 0/);
  assert.match(content, /large\.ts \+500 -0/);
  const fixed = words(user('', 60));
  assert.ok(words(content) - fixed <= 62, content);
});

test('DIFF-1: binary, lock and deleted files are listed, their lines are not', () => {
  const binary = [
    'diff --git a/logo.png b/logo.png',
    'new file mode 100644',
    'Binary files /dev/null and b/logo.png differ',
    '',
  ].join('\n');
  const deleted = fileDiff('gone.ts', ['-bye']).replace('index', 'deleted file mode 100644\nindex');
  const content = user(binary + fileDiff('package-lock.json', ['+secret lock line']) + deleted, 200);
  assert.match(content, /logo\.png added \(binary\)/);
  assert.match(content, /package-lock\.json \+1 -0 \(generated\)/);
  assert.match(content, /gone\.ts deleted \+0 -1/);
  assert.doesNotMatch(content, /secret lock line/);
});

test('a changed line that looks like a header is content', () => {
  const [file] = diffFiles(fileDiff('notes.md', ['+++ b/other.md', '--- a/other.md', '+diff --git a/x b/x']));
  assert.equal(file?.path, 'notes.md');
  assert.deepEqual([file?.added, file?.removed], [2, 1]);
});

test('DIFF-2: the hash of a diff does not depend on how git abbreviates object names', () => {
  const diff = fileDiff('a.ts', ['+x']);
  assert.equal(diffSha256(diff), diffSha256(diff.replace('1234567..89abcde', '12345678..89abcdef')));
  assert.notEqual(diffSha256(diff), diffSha256(fileDiff('a.ts', ['+y'])));
});
