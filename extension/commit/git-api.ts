/** What Apprentice uses of the built-in Git extension's API (version 1), and how it is had. */
import { type Disposable, type Event, extensions, type Uri } from 'vscode';
import { type Log, messageOf } from '../log.ts';

export interface GitRepository {
  readonly rootUri: Uri;
  readonly inputBox: { value: string };
  readonly state: {
    readonly HEAD: { readonly commit?: string } | undefined;
    readonly onDidChange: Event<void>;
  };
  /** After a commit made through the editor; a commit in a terminal shows only as a changed state. */
  readonly onDidCommit: Event<void>;
  /** Reads the repository's state again. */
  status(): Promise<void>;
}

export interface GitApi {
  readonly git: { readonly path: string };
  readonly repositories: readonly GitRepository[];
  readonly onDidOpenRepository: Event<GitRepository>;
  readonly onDidCloseRepository: Event<GitRepository>;
}

interface GitExtension {
  readonly enabled: boolean;
  readonly onDidChangeEnablement: Event<boolean>;
  getAPI(version: 1): GitApi;
}

export interface GitSearch extends Disposable {
  /** Resolves when it was looked for once, found or not. */
  readonly looked: Promise<void>;
}

/**
 * Calls `use` once, as soon as the Git extension is there and enabled. It is not in a workspace that is not
 * trusted, and a declared dependency on it would take the panel away there too.
 */
export function whenGitIsThere(use: (git: GitApi) => void, log: Log): GitSearch {
  const subscriptions: Disposable[] = [];
  let used = false;
  const look = async (): Promise<void> => {
    const extension = extensions.getExtension<GitExtension>('vscode.git');
    if (extension === undefined || used) return;
    const git = await extension.activate();
    if (used) return;
    if (git.enabled) {
      used = true;
      use(git.getAPI(1));
    } else subscriptions.push(git.onDidChangeEnablement(start));
  };
  const start = (): Promise<void> =>
    look().catch((error: unknown) => log.error(`The Git extension did not start: ${messageOf(error)}`));
  subscriptions.push(extensions.onDidChange(start));
  return {
    looked: start(),
    dispose: () => subscriptions.forEach((subscription) => void subscription.dispose()),
  };
}
