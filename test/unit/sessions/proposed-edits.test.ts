/** Edits are read off the answers of agents as they write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proposedEdits } from '../../../agent-server/sessions/proposed-edits.ts';

const called = (args: object) =>
  proposedEdits({
    content: 'I edit.',
    toolCalls: [{ id: 'c', name: 'edit', arguments: JSON.stringify(args) }],
  });
const said = (content: string) => proposedEdits({ content, toolCalls: [] });

test('CAPTURE-1: the arguments of editing tools, less the lines that both sides share', () => {
  const edit = [{ path: 'src/a.ts', before: 'b', after: 'B\nC' }];
  assert.deepEqual(called({ file_path: 'src/a.ts', old_string: 'a\nb\nc', new_string: 'a\nB\nC\nc' }), edit);
  assert.deepEqual(called({ path: 'src/a.ts', edits: [{ oldText: 'b', newText: 'B\nC' }] }), edit);
  assert.deepEqual(called({ path: 'src/a.ts', content: 'x\n' }), [
    { path: 'src/a.ts', before: null, after: 'x\n' },
  ]);
  assert.deepEqual(called({ path: 'src/a.ts', old_str: 'same', new_str: 'same' }), []);
  assert.deepEqual(called({ command: 'ls' }), []);
});

test('CAPTURE-1: patches in both forms, an edit a hunk', () => {
  const unified = '--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -9 +9,2 @@\n y\n+z\n';
  const begun =
    '*** Begin Patch\n*** Update File: src/a.ts\n@@\n a\n-b\n+B\n c\n@@ f()\n y\n+z\n*** Add File: n.ts\n+new\n*** Delete File: o.ts\n*** End Patch';
  const hunks = [
    { path: 'src/a.ts', before: 'b', after: 'B' },
    { path: 'src/a.ts', before: '', after: 'z' },
  ];
  assert.deepEqual(called({ diff: unified }), hunks);
  assert.deepEqual(called({ input: begun }), [...hunks, { path: 'n.ts', before: null, after: 'new' }]);
});

test('CAPTURE-1: search-and-replace blocks, in an answer as Aider writes them and in a call as Cline does', () => {
  const block = (search: string, replace: string) => `${search}\na\nb\n=======\na\nB\n${replace}\n`;
  const edit = [{ path: 'src/a.ts', before: 'b', after: 'B' }];
  assert.deepEqual(
    said(`I change it.\n\nsrc/a.ts\n\`\`\`ts\n${block('<<<<<<< SEARCH', '>>>>>>> REPLACE')}\`\`\`\nDone.`),
    edit,
  );
  assert.deepEqual(called({ path: 'src/a.ts', diff: block('------- SEARCH', '+++++++ REPLACE') }), edit);
});
