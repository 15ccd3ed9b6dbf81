/**
 * The command "Apprentice: Write Commit Message": reads the staged change, streams the answer into the
 * repository's input box, and hands the proposal on to those who watch what becomes of it.
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { commands, type Disposable, l10n, ProgressLocation, window, workspace } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { AgentServerClient } from '../client.ts';
import type { Log } from '../log.ts';
import { smartCommitChanges } from '../settings.ts';
import type { CommitWatcher } from './commit-watcher.ts';
import { type Cleaning, gitIn } from './git.ts';
import type { GitApi, GitRepository } from './git-api.ts';
import type { LatestProposals } from './latest-proposals.ts';
import { pickRepository } from './pick-repository.ts';
import { type Commit, hasUnstaged, readStaged, type Staged } from './staged-change.ts';

/** The first request may wait for the model to load. */
const WRITE_TIMEOUT_MS = 180_000;

export interface WriteParts {
  git: GitApi;
  client: AgentServerClient;
  watcher: CommitWatcher;
  latest: LatestProposals;
  cleaning: Cleaning;
  log: Log;
  /** False: there is no model to ask, and the user has been told how to get one. */
  ready(): boolean;
  /** False: the user does not want Apprentice at all. */
  askConsent(): Promise<boolean>;
  showError(error: unknown): Promise<void>;
}

export class CommitMessageWriter implements Disposable {
  readonly #running = new Map<string, AbortController>();
  readonly #parts: WriteParts;

  constructor(parts: WriteParts) {
    this.#parts = parts;
  }

  /** Runs the command. Errors are shown, not thrown; a second click while it writes does nothing. */
  async write(argument: unknown, commit: Commit = 'new'): Promise<void> {
    const { git, showError, ready, askConsent, log } = this.#parts;
    const repository = await pickRepository(git, argument);
    if (repository === null) {
      void window.showInformationMessage(
        l10n.t('Open a folder with a git repository: there is nothing to describe yet.'),
      );
      return;
    }
    const key = repository.rootUri.toString();
    if (this.#running.has(key)) return;
    if (!workspace.isTrusted) {
      void window.showWarningMessage(
        l10n.t('Apprentice reads nothing in a workspace that you have not trusted.'),
      );
      return;
    }
    const abort = new AbortController();
    this.#running.set(key, abort);
    this.#publish();
    try {
      if (!ready() || !(await askConsent())) return;
      const staged = await this.#staged(repository, commit, abort.signal);
      if (staged !== null) await this.#propose(repository, staged, abort);
    } catch (error) {
      if (abort.signal.aborted) log.info('Writing was cancelled.');
      else await showError(error);
    } finally {
      this.#running.delete(key);
      this.#publish();
    }
  }

  /** Stops all writing. */
  stop(): void {
    for (const abort of this.#running.values()) abort.abort();
  }

  dispose(): void {
    this.stop();
  }

  /** What is to be described. Null: there is nothing, and the user has been told what to do. */
  async #staged(repository: GitRepository, commit: Commit, signal: AbortSignal): Promise<Staged | null> {
    const root = repository.rootUri.fsPath;
    const { git, cleaning, log } = this.#parts;
    const place = { root, binary: git.git.path, ...cleaning };
    const staged = await readStaged(place, signal, log, commit);
    if (staged.diff !== '') return staged;
    if (commit === 'amend') {
      void window.showInformationMessage(
        staged.head === null
          ? l10n.t('{0} has no commit yet that could be amended.', basename(root))
          : l10n.t('The last commit of {0} changes nothing, and nothing is staged.', basename(root)),
      );
    } else if (await hasUnstaged(gitIn(place, signal))) void this.#offerStaging(repository);
    else {
      void window.showInformationMessage(
        l10n.t('Nothing has changed in {0}, so there is nothing to commit.', basename(root)),
      );
    }
    return null;
  }

  /** Not awaited by the command: a message can stay on screen for as long as the user likes. */
  async #offerStaging(repository: GitRepository): Promise<void> {
    const root = repository.rootUri.fsPath;
    // What VS Code itself commits when nothing is staged.
    const onlyTracked = smartCommitChanges() === 'tracked';
    const stageAll = onlyTracked ? l10n.t('Stage All Tracked') : l10n.t('Stage All');
    const answer = await window.showInformationMessage(
      l10n.t('Nothing is staged in {0}. Stage the changes that the message should describe.', basename(root)),
      stageAll,
    );
    if (answer !== stageAll) return;
    try {
      await gitIn({ root, binary: this.#parts.git.git.path }).raw([
        'add',
        onlyTracked ? '--update' : '--all',
      ]);
      await repository.status();
    } catch (error) {
      await this.#parts.showError(error);
      return;
    }
    await this.write(repository);
  }

  async #propose(repository: GitRepository, staged: Staged, abort: AbortController): Promise<void> {
    const { client, watcher, latest } = this.#parts;
    const box = repository.inputBox;
    const before = box.value;
    const requestId = randomUUID();
    let streamed = '';
    const streaming = client.onActionText((action) => {
      if (action.requestId !== requestId || abort.signal.aborted) return;
      streamed += action.text;
      box.value = streamed;
    });
    const { repositoryRoot, stagedTree, head, replaces, diff } = staged;
    const createdAtMs = Date.now();
    try {
      const proposal = await window.withProgress(
        {
          location: ProgressLocation.Notification,
          title: l10n.t('Apprentice writes a commit message for {0}', basename(repositoryRoot)),
          cancellable: true,
        },
        (progress, token) => {
          token.onCancellationRequested(() => abort.abort());
          if (client.snapshot?.worker?.engine.state === 'starting') {
            progress.report({ message: l10n.t('the model is still loading') });
          }
          return client.request(
            editorRequests.writeCommitMessage,
            { requestId, change: { repositoryRoot, stagedTree, head, replaces, diff } },
            { signal: abort.signal, timeoutMs: WRITE_TIMEOUT_MS },
          );
        },
      );
      box.value = proposal.text;
      const untouched = latest.get(repository.rootUri.toString())?.text === before;
      latest.set({ turnId: proposal.turnId, text: proposal.text, repository });
      await watcher.proposed(repository, { turnId: proposal.turnId, createdAtMs, head });
      if (before.trim() !== '' && !untouched) void this.#offerRestore(repository, before);
    } catch (error) {
      // Half a message is worse than what the user had.
      box.value = before;
      throw toApprenticeError(error);
    } finally {
      streaming.dispose();
    }
  }

  /** The user's own text was replaced: one click brings it back, and nothing has to be confirmed beforehand. */
  async #offerRestore(repository: GitRepository, before: string): Promise<void> {
    const restore = l10n.t('Restore My Text');
    const answer = await window.showInformationMessage(
      l10n.t('Your text in the message box was replaced.'),
      restore,
    );
    if (answer === restore) repository.inputBox.value = before;
  }

  /** The titles show the stop button; one key for all repositories, as LatestProposals says. */
  #publish(): void {
    void commands.executeCommand('setContext', 'apprentice.writing', this.#running.size > 0);
  }
}
