/**
 * Commits that hold what agents' turns did, remembered so that a later `git revert` finds its turn: ids alone, in the
 * workspace's memory. What was committed of them is hunk-watch.ts's while it can still be amended.
 */
import { z } from 'zod';
import type { SpoolMemory } from '../observation-spool.ts';

const MAX_COMMITS = 200;
const KEY = 'apprentice.committedTurns';

const CommittedTurns = z.object({
  root: z.string(),
  sha: z.string(),
  /** Hash of time, author and subject, which rebase and cherry-pick keep. */
  authored: z.string(),
  turnIds: z.array(z.string()),
  unixSeconds: z.number(),
});
export type CommittedTurns = z.infer<typeof CommittedTurns>;

export class CommitMemory {
  #commits: CommittedTurns[];
  readonly #memory: SpoolMemory;

  constructor(memory: SpoolMemory) {
    this.#memory = memory;
    const kept = z.array(CommittedTurns).safeParse(memory.get(KEY) ?? []);
    this.#commits = kept.success ? kept.data : [];
  }

  /** Is a commit of this repository remembered? */
  concerns(root: string): boolean {
    return this.#commits.some((commit) => commit.root === root);
  }

  /** When the oldest one of this repository was made; null: none is remembered. */
  oldest(root: string): number | null {
    const times = this.#commits.flatMap((commit) => (commit.root === root ? [commit.unixSeconds] : []));
    return times.length === 0 ? null : Math.min(...times);
  }

  async remember(commit: CommittedTurns): Promise<void> {
    const others = this.#commits.filter(({ root, sha }) => root !== commit.root || sha !== commit.sha);
    await this.#save([...others, commit].slice(-MAX_COMMITS));
  }

  /** By its id, which may be abbreviated, or by `authored`. */
  find(root: string, sha: string, authored: string | null): CommittedTurns | undefined {
    const here = this.#commits.filter((commit) => commit.root === root);
    return (
      here.find((commit) => commit.sha.startsWith(sha)) ??
      here.findLast((commit) => commit.authored === authored)
    );
  }

  async forget(commit: CommittedTurns): Promise<void> {
    await this.#save(this.#commits.filter((one) => one !== commit));
  }

  /** Consent was withdrawn. */
  async clear(): Promise<void> {
    if (this.#commits.length > 0) await this.#save([]);
  }

  async #save(commits: CommittedTurns[]): Promise<void> {
    this.#commits = commits;
    await this.#memory.update(KEY, commits);
  }
}
