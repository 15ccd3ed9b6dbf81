/** What Apprentice uses of the built-in Git extension's API (version 1), and how it is had. */
import { type Event, extensions, type Uri } from 'vscode';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

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
  getAPI(version: 1): GitApi;
}

/** Activates the Git extension. Throws `invalid_request` where it is disabled or missing. */
export async function gitApi(): Promise<GitApi> {
  const extension = extensions.getExtension<GitExtension>('vscode.git');
  const exports = await extension?.activate();
  if (exports?.enabled) return exports.getAPI(1);
  throw new ApprenticeError(
    'invalid_request',
    'The built-in Git extension is disabled.',
    'Enable it, and the setting git.enabled.',
  );
}
