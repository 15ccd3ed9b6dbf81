/** The last proposal of each repository in this window: what a thumb is about and what the box was given. */
import { commands, type Disposable } from 'vscode';
import type { GitRepository } from './git-api.ts';

export interface LatestProposal {
  turnId: string;
  text: string;
  repository: GitRepository;
}

export class LatestProposals implements Disposable {
  readonly #byRoot = new Map<string, LatestProposal>();

  /** Of the repository with this root, or (null) the newest of all. */
  get(root: string | null): LatestProposal | null {
    if (root !== null) return this.#byRoot.get(root) ?? null;
    return [...this.#byRoot.values()].at(-1) ?? null;
  }

  set(proposal: LatestProposal): void {
    const key = proposal.repository.rootUri.toString();
    // Deleted first, so that the newest stands last.
    this.#byRoot.delete(key);
    this.#byRoot.set(key, proposal);
    this.#publish();
  }

  /** A thumb was given: there is nothing left to ask. */
  rated(turnId: string): void {
    for (const [key, proposal] of this.#byRoot) if (proposal.turnId === turnId) this.#byRoot.delete(key);
    this.#publish();
  }

  dispose(): void {
    this.#byRoot.clear();
    this.#publish();
  }

  /**
   * Shows the thumbs in the Source Control titles. One key for all repositories: in a remote window the root
   * that a title's `when` clause sees is not the one known here.
   */
  #publish(): void {
    void commands.executeCommand('setContext', 'apprentice.ratable', this.#byRoot.size > 0);
  }
}
