/**
 * The vocabulary in which the sample repository's history is written down. The chapters beside this file are
 * the data; `../sample-repository.ts` turns them into real commits.
 */

export type Edit =
  | { kind: 'create'; path: string; text: string }
  /** `old` must stand exactly once in the file. */
  | { kind: 'replace'; path: string; old: string; new: string }
  | { kind: 'append'; path: string; text: string };

export type Step =
  | { kind: 'commit'; author: 'maintainer' | 'bot'; message: string; edits: readonly Edit[] }
  /** The commits are made on a branch of this name, then merged with `--no-ff`. */
  | { kind: 'merge'; branch: string; commits: readonly Step[] }
  /** `git revert` of the commit just before. */
  | { kind: 'revert' };

export const create = (path: string, text: string): Edit => ({ kind: 'create', path, text });
export const append = (path: string, text: string): Edit => ({ kind: 'append', path, text });
export const replace = (path: string, before: string, after: string): Edit => ({
  kind: 'replace',
  path,
  old: before,
  new: after,
});

export const commit = (message: string, ...edits: readonly Edit[]): Step => ({
  kind: 'commit',
  author: 'maintainer',
  message,
  edits,
});
export const botCommit = (message: string, ...edits: readonly Edit[]): Step => ({
  kind: 'commit',
  author: 'bot',
  message,
  edits,
});
export const merge = (branch: string, ...commits: readonly Step[]): Step => ({
  kind: 'merge',
  branch,
  commits,
});
export const revert: Step = { kind: 'revert' };
