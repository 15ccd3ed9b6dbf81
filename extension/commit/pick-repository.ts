/** Which repository a command means: the one whose title was clicked, the only one, or the one picked. */
import { basename } from 'node:path';
import { l10n, window } from 'vscode';
import type { GitApi, GitRepository } from './git-api.ts';

/** `argument` is what VS Code hands a command of a Source Control title: a SourceControl, or nothing. Null: none. */
export async function pickRepository(git: GitApi, argument: unknown): Promise<GitRepository | null> {
  const root = rootOf(argument);
  const clicked = git.repositories.find((repository) => repository.rootUri.toString() === root);
  if (clicked) return clicked;
  if (git.repositories.length <= 1) return git.repositories[0] ?? null;
  const picked = await window.showQuickPick(
    git.repositories.map((repository) => ({
      label: basename(repository.rootUri.fsPath),
      description: repository.rootUri.fsPath,
      repository,
    })),
    {
      title: l10n.t('Write a commit message'),
      placeHolder: l10n.t('Repository with the staged change'),
    },
  );
  return picked?.repository ?? null;
}

/** The root that a SourceControl or a repository names, as a string. */
export function rootOf(argument: unknown): string | null {
  if (typeof argument !== 'object' || argument === null || !('rootUri' in argument)) return null;
  return argument.rootUri === undefined || argument.rootUri === null ? null : String(argument.rootUri);
}
