/**
 * Watches one repository for what becomes of its proposals: commits made in the editor or a terminal, and a
 * box that the user empties. Reads nothing while no proposal is open. Which commit belongs to which proposal
 * is the agent-server's to decide.
 */
import type { Disposable } from 'vscode';
import type { z } from 'zod';
import type { Observation } from '../../agent-server/protocol/observations.ts';
import { type Log, messageOf } from '../log.ts';
import { type CommitEntry, commitObservation, isCommit, readReflog } from './commit-reader.ts';
import { type Cleaning, gitIn } from './git.ts';
import type { GitRepository } from './git-api.ts';
import { entriesSince } from './reflog.ts';
import { headOf, workTree } from './staged-change.ts';

/** An editor's commit changes the state a moment before it is announced; both are one commit. */
const SETTLE_MS = 400;
const BOX_POLL_MS = 2_000;
/** Empty at this many looks in a row is cleared; once may be a cut that is about to be pasted. */
const EMPTY_LOOKS = 3;
const MAX_REPORTED = 500;

export interface OpenCommitProposal {
  turnId: string;
  createdAtMs: number;
  /** HEAD when it was made. */
  head: string | null;
}

export interface WatchHost {
  git: { path: string };
  cleaning: Cleaning;
  log: Log;
  /** Trusted workspace and learning on. */
  mayCapture(): boolean;
  openProposals(repositoryRoot: string): Promise<OpenCommitProposal[]>;
  report(observation: z.input<typeof Observation>): Promise<void>;
  newId(): string;
  now(): Date;
}

export class RepositoryWatch implements Disposable {
  #root: string | null = null;
  #open: OpenCommitProposal[] = [];
  /** The proposal whose text lies in the box, put there by this window. */
  #inBox: { turnId: string; emptyLooks: number } | null = null;
  #timer: NodeJS.Timeout | undefined;
  #boxTimer: NodeJS.Timeout | undefined;
  #editorCommitted = false;
  #checking: Promise<void> = Promise.resolve();
  readonly #reported = new Set<string>();
  readonly #repository: GitRepository;
  readonly #host: WatchHost;
  readonly #subscriptions: Disposable[];

  constructor(repository: GitRepository, host: WatchHost) {
    this.#repository = repository;
    this.#host = host;
    this.#subscriptions = [
      repository.state.onDidChange(() => this.#schedule(SETTLE_MS)),
      repository.onDidCommit(() => {
        this.#editorCommitted = true;
        this.#schedule(0);
      }),
    ];
  }

  /** Looks at once; at start this finds what was committed while no window was open. */
  check(): Promise<void> {
    this.#checking = this.#checking
      .then(() => this.#check())
      .catch((error: unknown) =>
        this.#host.log.warn(
          `Commits of ${this.#repository.rootUri.fsPath} were not read: ${messageOf(error)}`,
        ),
      );
    return this.#checking;
  }

  /** A new proposal lies in the box; an earlier one is overwritten. */
  async proposed(proposal: OpenCommitProposal): Promise<void> {
    if (this.#inBox !== null) await this.#close(this.#inBox.turnId, 'overwritten');
    this.#open = [...this.#open, proposal];
    this.#inBox = { turnId: proposal.turnId, emptyLooks: 0 };
    this.#boxTimer ??= setInterval(() => void this.#lookAtBox(), BOX_POLL_MS);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#boxTimer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #schedule(delayMs: number): void {
    if (this.#open.length === 0 && this.#reported.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check(), delayMs);
  }

  async #check(): Promise<void> {
    if (!this.#host.mayCapture()) return;
    const {
      git: { path: binary },
      cleaning,
    } = this.#host;
    const place = { root: this.#repository.rootUri.fsPath, binary, ...cleaning };
    const git = gitIn(place);
    this.#root ??= await workTree(git);
    const root = this.#root;
    const editor = this.#editorCommitted;
    this.#editorCommitted = false;
    this.#open = await this.#host.openProposals(root).catch((error: unknown) => {
      this.#host.log.debug(`Open proposals as this window knows them: ${messageOf(error)}`);
      return this.#open;
    });
    if ((this.#open.length === 0 && this.#reported.size === 0) || (await headOf(git)) === null) return;

    const entries = await readReflog(git);
    const oldest = this.#open.toSorted((a, b) => a.createdAtMs - b.createdAtMs)[0] ?? null;
    const since = oldest === null ? entries.toReversed() : entriesSince(entries, oldest);
    const fresh = since
      .filter(isCommit)
      .filter((entry) => !this.#reported.has(entry.sha) && this.#concerns(entry));
    for (const entry of fresh) {
      const source = editor && entry === fresh.at(-1) ? 'editor' : 'terminal';
      const madeAt = Math.max(entry.unixSeconds * 1000, oldest?.createdAtMs ?? 0);
      const observedAt = new Date(Math.min(madeAt, this.#host.now().getTime()));
      await this.#host.report(await commitObservation(place, root, entry, source, observedAt));
      this.#remember(entry.sha);
      this.#inBox = null;
    }
    this.#stopPolling();
  }

  /** Without an open proposal only the amending of a commit that was already reported is the user's answer. */
  #concerns(entry: CommitEntry): boolean {
    if (this.#open.length > 0) return true;
    return entry.action === 'amend' && entry.previous !== null && this.#reported.has(entry.previous);
  }

  #remember(sha: string): void {
    this.#reported.add(sha);
    const [first] = this.#reported;
    if (this.#reported.size > MAX_REPORTED && first !== undefined) this.#reported.delete(first);
  }

  async #lookAtBox(): Promise<void> {
    const inBox = this.#inBox;
    if (inBox === null) return this.#stopPolling();
    inBox.emptyLooks = this.#repository.inputBox.value.trim() === '' ? inBox.emptyLooks + 1 : 0;
    if (inBox.emptyLooks < EMPTY_LOOKS) return;
    // A commit empties the box too: look for one before calling it cleared.
    await this.check();
    if (this.#inBox !== inBox) return;
    await this.#close(inBox.turnId, 'cleared');
  }

  async #close(turnId: string, reason: 'cleared' | 'overwritten'): Promise<void> {
    this.#inBox = null;
    this.#open = this.#open.filter((proposal) => proposal.turnId !== turnId);
    if (!this.#host.mayCapture()) return;
    await this.#host.report({
      kind: 'proposal_closed',
      observationId: this.#host.newId(),
      observedAt: this.#host.now().toISOString(),
      turnId,
      reason,
    });
  }

  #stopPolling(): void {
    if (this.#inBox !== null) return;
    clearInterval(this.#boxTimer);
    this.#boxTimer = undefined;
  }
}
