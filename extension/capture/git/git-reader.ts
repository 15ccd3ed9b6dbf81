/** What is read of a repository to know what became of an agent's edits: its state, names of files, blobs. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { readReflog } from '../../commit/commit-reader.ts';
import { type GitPlace, gitIn } from '../../commit/git.ts';
import { FilesSeen } from '../hunks/files-seen.ts';
import type { GitState } from './operations.ts';

/** A larger file is no source that an agent edits. */
const MAX_BLOB_BYTES = 2_000_000;
const MAX_STASHES = 50;

export class GitReader {
  readonly #git: SimpleGit;
  #gitFolder: string | null = null;
  readonly #root: string;
  readonly #files = new FilesSeen();
  #logs: readonly string[] | null = null;
  #state: GitState | null = null;

  constructor(place: GitPlace) {
    this.#git = gitIn(place);
    this.#root = place.root;
  }

  /** Does a git command hold the index just now? What it does is half done then. */
  async isBusy(): Promise<boolean> {
    this.#gitFolder ??= (await this.#git.raw('rev-parse', '--absolute-git-dir')).trimEnd();
    return existsSync(join(this.#gitFolder, 'index.lock'));
  }

  /** Read only when git has written to its logs since: every save of a file makes VS Code ask. */
  async state(): Promise<GitState> {
    this.#logs ??= await this.#logFiles();
    const changed = this.#files.changed(this.#logs).length > 0;
    // Some ways to store refs have no such files.
    if (!changed && this.#state !== null && this.#logs.some((log) => existsSync(log))) return this.#state;
    // What fails to be read is read the next time, whatever the files say then.
    this.#state = null;
    this.#state = await this.#read();
    return this.#state;
  }

  async #logFiles(): Promise<string[]> {
    const names = ['logs/HEAD', 'logs/refs/stash'].flatMap((name) => ['--git-path', name]);
    const paths = (await this.#git.raw('rev-parse', ...names)).split('\n').filter((line) => line !== '');
    return paths.map((path) => resolve(this.#root, path));
  }

  async #read(): Promise<GitState> {
    const [entries, stashes] = await Promise.all([
      readReflog(this.#git).catch(this.#ofMissing(0, [])),
      this.#git
        .raw('log', '--walk-reflogs', `--max-count=${MAX_STASHES}`, '--format=%H %ct', 'refs/stash')
        .catch(this.#ofMissing(1, '')),
    ]);
    const lines = stashes.split('\n').filter((line) => line !== '');
    return {
      entries,
      stashes: lines.map((line) => {
        const [sha = '', unixSeconds] = line.split(' ');
        return { sha, unixSeconds: Number(unixSeconds) };
      }),
    };
  }

  /** What a log says that is not there before the first commit or the first stash; of one that is, it is no answer. */
  #ofMissing<T>(log: number, empty: T): (error: unknown) => T {
    return (error) => {
      if (existsSync(this.#logs?.[log] ?? '')) throw error;
      return empty;
    };
  }

  /** The files that a commit changed against its first parent, as git names them. */
  async changedIn(sha: string): Promise<ReadonlySet<string>> {
    const named = await this.#git.raw(
      'diff-tree',
      '--root',
      '--no-commit-id',
      '--name-only',
      '-r',
      '-z',
      sha,
    );
    return new Set(named.split('\0').filter((name) => name !== ''));
  }

  /** A file's text in a commit; null: it is not there, or is no text of a bearable size. */
  async textIn(sha: string, path: string): Promise<string | null> {
    const name = `${sha}:${path}`;
    // A name that the commit does not have makes git fail, which is the answer here.
    const size = Number(await this.#git.raw('cat-file', '-s', name).catch(() => 'none'));
    if (!(size <= MAX_BLOB_BYTES)) return null;
    const text = await this.#git.raw('cat-file', 'blob', name);
    return text.includes('\0') ? null : text;
  }

  /** Of these files those that stand in the work tree as git itself put them there: nobody wrote them since. */
  async untouched(paths: readonly string[]): Promise<ReadonlySet<string>> {
    const literal = paths.map((path) => `:(top,literal)${path}`);
    const [tracked, touched] = await Promise.all([
      this.#git.raw('ls-files', '-z', '--', ...literal),
      this.#git.raw('diff-files', '--name-only', '-z', '--', ...literal),
    ]);
    const dirty = new Set(touched.split('\0'));
    return new Set(tracked.split('\0').filter((path) => path !== '' && !dirty.has(path)));
  }

  /** When, by whom and under which subject it was first committed: what rebase and cherry-pick keep. */
  async authored(sha: string): Promise<string> {
    const line = (await this.#git.raw('show', '--no-patch', '--format=%at %ae %s', sha)).trim();
    return createHash('sha256').update(line).digest('hex');
  }

  /** Is this commit, or a history that begins with it, what stands at `of`? */
  async isAncestor(sha: string, of: string): Promise<boolean> {
    // One that was pruned is nobody's ancestor.
    const missing = await this.#git.raw('rev-list', '--max-count=1', sha, `^${of}`).catch(() => 'pruned');
    return missing.trim() === '';
  }

  /** Does a branch, here or as it was last seen elsewhere, hold this commit? */
  async isOnBranch(sha: string): Promise<boolean> {
    const refs = ['refs/heads', 'refs/remotes'];
    return (await this.#git.raw('for-each-ref', '--count=1', `--contains=${sha}`, ...refs)).trim() !== '';
  }
}
