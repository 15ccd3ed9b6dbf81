/** A real repository with one commit (or none) in a temporary folder, and a log that says nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Log } from '../../../extension/log.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface SampleRepository {
  root: string;
  git(...args: string[]): string;
}

export function sampleRepository(
  t: TestContext,
  start: 'empty' | 'one commit' = 'one commit',
): SampleRepository {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'apprentice-git-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: root, GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  git('init', '-q', '-b', 'main');
  git('config', 'user.name', 'Ada');
  git('config', 'user.email', 'ada@example.com');
  if (start === 'one commit') {
    writeFileSync(join(root, 'notes.txt'), 'one\n');
    git('add', '.');
    git('commit', '-qm', 'feat: begin');
  }
  return { root, git };
}
