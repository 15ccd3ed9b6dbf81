/** Keeps a RepositoryWatch for every open repository, and gives it what it may know and where it reports. */
import { randomUUID } from 'node:crypto';
import { type Disposable, workspace } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { Observation } from '../../agent-server/protocol/observations.ts';
import type { ObservationSpool } from '../capture/observation-spool.ts';
import type { AgentServerClient } from '../client.ts';
import type { Log } from '../log.ts';
import type { Cleaning } from './git.ts';
import type { GitApi, GitRepository } from './git-api.ts';
import { type OpenCommitProposal, RepositoryWatch, type WatchHost } from './repository-watch.ts';

export class CommitWatcher implements Disposable {
  /** By root: the Git API hands out a new object for the same repository at every call. */
  readonly #watches = new Map<string, RepositoryWatch>();
  readonly #host: WatchHost;
  readonly #subscriptions: Disposable[];
  #capturing = false;

  constructor(git: GitApi, client: AgentServerClient, spool: ObservationSpool, cleaning: Cleaning, log: Log) {
    const mayCapture = (): boolean => workspace.isTrusted && client.learning === 'on';
    this.#host = {
      git: git.git,
      cleaning,
      log,
      mayCapture,
      openProposals: (repositoryRoot) => openProposals(client, repositoryRoot),
      report: (observation) => spool.add(Observation.parse(observation)),
      newId: randomUUID,
      now: () => new Date(),
    };
    for (const repository of git.repositories) this.#add(repository);
    this.#subscriptions = [
      git.onDidOpenRepository((repository) => this.#add(repository)),
      git.onDidCloseRepository((repository) => this.#remove(repository)),
      // Consent and connection come later than the repositories: look for what was committed meanwhile.
      client.onDidChange(() => {
        const capturing = mayCapture() && client.state.kind === 'connected';
        if (capturing && !this.#capturing) this.#checkAll();
        this.#capturing = capturing;
      }),
    ];
    this.#capturing = mayCapture() && client.state.kind === 'connected';
    if (this.#capturing) this.#checkAll();
  }

  /** A proposal was put into this repository's box. */
  async proposed(repository: GitRepository, proposal: OpenCommitProposal): Promise<void> {
    await this.#add(repository).proposed(proposal);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    for (const watch of this.#watches.values()) watch.dispose();
    this.#watches.clear();
  }

  #add(repository: GitRepository): RepositoryWatch {
    const key = repository.rootUri.toString();
    const existing = this.#watches.get(key);
    if (existing) return existing;
    const watch = new RepositoryWatch(repository, this.#host);
    this.#watches.set(key, watch);
    if (this.#capturing) void watch.check();
    return watch;
  }

  #remove(repository: GitRepository): void {
    const key = repository.rootUri.toString();
    this.#watches.get(key)?.dispose();
    this.#watches.delete(key);
  }

  #checkAll(): void {
    for (const watch of this.#watches.values()) void watch.check();
  }
}

async function openProposals(
  client: AgentServerClient,
  repositoryRoot: string,
): Promise<OpenCommitProposal[]> {
  const open = await client.request(editorRequests.openProposals, { repositoryRoot });
  return open.flatMap(({ turnId, createdAt, subject }) =>
    subject.kind === 'commit_message'
      ? [{ turnId, createdAtMs: Date.parse(createdAt), head: subject.head }]
      : [],
  );
}
