/** Reads what is staged in a repository without touching its index. */

import { randomUUID } from 'node:crypto';
import { copyFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { type Log, messageOf } from '../log.ts';
import { type DiffPlace, type GitPlace, gitIn, stagedDiff } from './git.ts';

export interface Staged {
  /** Work tree as git prints it. */
  repositoryRoot: string;
  /** Null when it could not be had, as in an index with conflicts. */
  stagedTree: string | null;
  head: string | null;
  /** HEAD, when it is to be amended; null: a new commit is meant. */
  replaces: string | null;
  /** Empty when there is nothing to commit. */
  diff: string;
}

/** What a message is asked for: a new commit of what is staged, or HEAD together with what is staged. */
export type Commit = 'new' | 'amend';

/** The staged part alone. For an amend what the commit will then be: HEAD and what is staged. Throws git's own error when the folder is no work tree. */
export async function readStaged(
  place: DiffPlace,
  signal: AbortSignal,
  log: Log,
  commit: Commit = 'new',
): Promise<Staged> {
  const git = gitIn(place, signal);
  const [repositoryRoot, head] = await Promise.all([workTree(git), headOf(git)]);
  const replaces = commit === 'amend' ? head : null;
  // Without a commit there is nothing to amend.
  const isPossible = commit === 'new' || head !== null;
  const against = replaces === null ? null : await parentOf(git);
  const diff = isPossible ? await stagedDiff(place, signal, against) : '';
  const stagedTree = diff === '' ? null : await writeTree(git, place, log);
  return { repositoryRoot, stagedTree, head, replaces, diff };
}

/** HEAD's first parent; before the first commit there was nothing, which is a tree as well. */
async function parentOf(git: SimpleGit): Promise<string> {
  const parent = (await git.raw(['rev-parse', '--quiet', '--verify', 'HEAD^1']).catch(() => '')).trim();
  return parent === '' ? (await git.raw(['hash-object', '-t', 'tree', '/dev/null'])).trim() : parent;
}

/** The work tree's folder as git prints it; a repository's name in everything that is stored. */
export async function workTree(git: SimpleGit): Promise<string> {
  return (await git.raw(['rev-parse', '--show-toplevel'])).trimEnd();
}

/** HEAD's commit, or null before the first one. */
export async function headOf(git: SimpleGit): Promise<string | null> {
  // An unborn branch makes rev-parse fail without a word, which is the answer here.
  const head = await git.raw(['rev-parse', '--quiet', '--verify', 'HEAD^{commit}']).catch(() => '');
  return /^[0-9a-f]{40,64}/.exec(head)?.[0] ?? null;
}

/** Has the work tree anything that `git add` would stage? */
export async function hasUnstaged(git: SimpleGit): Promise<boolean> {
  return (await git.raw(['status', '--porcelain', '--untracked-files=normal'])).trim() !== '';
}

/**
 * The tree that a commit would have now. `git write-tree` locks and may rewrite the index, so it is given a
 * copy, made beside the original because a split index refers to its neighbour.
 */
async function writeTree(git: SimpleGit, place: GitPlace, log: Log): Promise<string | null> {
  const index = resolve(place.root, (await git.raw(['rev-parse', '--git-path', 'index'])).trim());
  const copy = `${index}.apprentice-${randomUUID()}`;
  try {
    await copyFile(index, copy);
    const onCopy = gitIn(place).env({ ...environment(), GIT_INDEX_FILE: copy });
    return (await onCopy.raw(['write-tree'])).trim();
  } catch (error) {
    log.warn(`No tree for the staged change in ${place.root}: ${messageOf(error)}`);
    return null;
  } finally {
    await rm(copy, { force: true });
  }
}

/** What git needs to run at all: simple-git refuses a whole environment, which names editors and askpass programs. */
function environment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'USERPROFILE', 'SYSTEMROOT', 'TMPDIR', 'TEMP'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
