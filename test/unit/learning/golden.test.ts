import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const run = (file: string): { status: number | null; out: string } => {
  const { status, stdout } = spawnSync(process.execPath, [join(repositoryRoot, 'test', 'golden.ts'), file], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, out: stdout };
};
const vote = (id: string, score: unknown): object => ({
  id,
  kind: 'vote',
  input: { votes: [1] },
  expected: { score },
});

test('GOLD-1: every case of our own file passes, the trainer’s loss included', () => {
  // Expected values: worked out in plain float64 Python that shares no code with either side.
  const { status, out } = run(join(repositoryRoot, 'test', 'fixtures', 'golden.json'));
  assert.equal(out, '14 passed, 0 failed\n');
  assert.equal(status, 0);
});

test('GOLD-2: wrong, unknown and malformed cases are named and counted; the others still run', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-golden-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const cases = [
    vote('right', 1),
    vote('wrong', -1),
    vote('absent', null),
    { id: 'kind', kind: 'constructor', input: {}, expected: { score: 1 } },
    { id: 'input', kind: 'vote', input: { votes: 'up' }, expected: { score: 1 } },
    { id: 'output', kind: 'vote', input: { votes: [1] }, expected: { points: 1 } },
    { id: 'empty', kind: 'vote', input: { votes: [1] }, expected: {} },
    'no case',
  ];
  const mixed = run(write('mixed.json', JSON.stringify({ tolerance: 1e-6, cases })));
  assert.match(mixed.out, /\n1 passed, 7 failed\n$/);
  assert.match(mixed.out, /FAILED wrong \(vote\): score: expected -1, got 1/);
  assert.match(mixed.out, /FAILED kind \(constructor\): unknown kind/);
  assert.equal(mixed.status, 1);
  for (const text of ['{', '[]', '{"cases": []}']) {
    const { status, out } = run(write('bad.json', text));
    assert.match(out, /not a file of golden cases[\s\S]*\n0 passed, 1 failed\n$/);
    assert.equal(status, 1);
  }
  assert.match(run(join(folder, 'missing.json')).out, /ENOENT[\s\S]*\n0 passed, 1 failed\n$/);
});
