/** Has every open repository looked at when git or a followed file moved in it, and hands on what is told. */
import { type Disposable, workspace } from 'vscode';
import { Observation } from '../../../agent-server/protocol/observations.ts';
import type { AgentServerClient } from '../../client.ts';
import type { GitApi, GitRepository } from '../../commit/git-api.ts';
import type { Log } from '../../log.ts';
import type { HunkCapture } from '../hunks/hunk-capture.ts';
import type { ObservationSpool } from '../observation-spool.ts';
import type { CommitMemory } from './committed-turns.ts';
import type { HunksHost } from './hunks-host.ts';
import { gitPath, isOwner } from './in-repository.ts';
import { RepositoryHunks } from './repository-hunks.ts';

/** A git command changes the state, and files, several times. */
const SETTLE_MS = 400;
/** How often a repository is asked that a git command holds: some 30 s; then its next change is waited for. */
const MAX_TRIES = 75;

export interface GitCaptureParts {
  readonly client: AgentServerClient;
  readonly spool: ObservationSpool;
  readonly hunks: HunkCapture;
  readonly memory: CommitMemory;
  /** Takes secrets out of a text (capture/scrub). */
  scrub(text: string): Promise<string>;
  /** May this file be captured (capture/ignore)? An absolute path. */
  mayCapture(path: string): Promise<boolean>;
  readonly log: Log;
}

interface Watched {
  readonly root: string;
  readonly hunks: RepositoryHunks;
  readonly subscription: Disposable;
  timer: NodeJS.Timeout | undefined;
}

export class GitCapture implements Disposable {
  readonly #parts: GitCaptureParts;
  readonly #binary: string;
  /** By root: the Git API hands out a new object for the same repository at every call. */
  readonly #watched = new Map<string, Watched>();
  readonly #host: HunksHost;
  readonly #subscriptions: Disposable[];
  #capturing = false;

  constructor(git: GitApi, parts: GitCaptureParts) {
    const { client, spool, hunks, memory, scrub, mayCapture, log } = parts;
    this.#parts = parts;
    this.#binary = git.git.path;
    this.#host = {
      hunks: hunks.followed,
      memory,
      log,
      mayCapture: () => this.#mayCapture(),
      owns: (root, document) =>
        isOwner(
          root,
          document,
          [...this.#watched.values()].map((one) => one.root),
        ),
      changed: () => hunks.decided(),
      // What a secret was cut out of is not what the user wrote.
      tellable: async (document, text) =>
        (await mayCapture(document)) && (await scrub(text)) === text ? text : null,
      report: async (told) => {
        const observation = Observation.parse({ ...told, observedAt: new Date().toISOString() });
        if (this.#mayCapture()) await spool.add(observation);
      },
    };
    for (const repository of git.repositories) this.#add(repository);
    this.#subscriptions = [
      git.onDidOpenRepository((repository) => this.#add(repository)),
      git.onDidCloseRepository(({ rootUri }) => this.#remove(rootUri.toString())),
      // What was there before the edit is known from its arrival on.
      hunks.onDidArrive(({ document }) => this.#moved(document, 0)),
      hunks.onDidMove((document) => this.#moved(document, SETTLE_MS)),
      client.onDidChange(() => {
        if (client.learning === 'off') void memory.clear();
        const capturing = this.#mayCapture();
        if (capturing && !this.#capturing) this.#lookAtAll();
        this.#capturing = capturing;
      }),
    ];
    this.#capturing = this.#mayCapture();
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    for (const key of [...this.#watched.keys()]) this.#remove(key);
  }

  #add(repository: GitRepository): void {
    const key = repository.rootUri.toString();
    if (this.#watched.has(key)) return;
    const root = repository.rootUri.fsPath;
    const watched: Watched = {
      root,
      hunks: new RepositoryHunks({ root, binary: this.#binary }, this.#host),
      subscription: repository.state.onDidChange(() => this.#schedule(watched, SETTLE_MS)),
      timer: undefined,
    };
    this.#watched.set(key, watched);
    this.#schedule(watched, 0);
  }

  #remove(key: string): void {
    const watched = this.#watched.get(key);
    clearTimeout(watched?.timer);
    watched?.subscription.dispose();
    this.#watched.delete(key);
  }

  #lookAtAll(): void {
    for (const watched of this.#watched.values()) this.#schedule(watched, 0);
  }

  #moved(document: string, delayMs: number): void {
    for (const watched of this.#watched.values())
      if (gitPath(watched.root, document) !== null) this.#schedule(watched, delayMs);
  }

  #schedule(watched: Watched, delayMs: number, tries = 0): void {
    clearTimeout(watched.timer);
    watched.timer = setTimeout(async () => {
      const free = await watched.hunks.look();
      if (!free && tries < MAX_TRIES && [...this.#watched.values()].includes(watched))
        this.#schedule(watched, SETTLE_MS, tries + 1);
    }, delayMs);
  }

  #mayCapture(): boolean {
    return workspace.isTrusted && this.#parts.client.learning === 'on';
  }
}
