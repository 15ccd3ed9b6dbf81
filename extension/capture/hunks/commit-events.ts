/** Tells which files a commit took, as soon as one is made in a repository, wherever it was made. */
import { join } from 'node:path';
import type { Disposable } from 'vscode';
import { isCommit, readReflog } from '../../commit/commit-reader.ts';
import { gitIn } from '../../commit/git.ts';
import type { GitApi, GitRepository } from '../../commit/git-api.ts';
import { type Log, messageOf } from '../../log.ts';

/** A commit changes the state several times. */
const SETTLE_MS = 400;

export function onCommit(git: GitApi, tell: (paths: ReadonlySet<string>) => void, log: Log): Disposable {
  const watched = new Map<string, Disposable>();
  const add = (repository: GitRepository): void => {
    const key = repository.rootUri.toString();
    if (!watched.has(key)) watched.set(key, watch(repository, git.git.path, tell, log));
  };
  for (const repository of git.repositories) add(repository);
  const subscriptions = [
    git.onDidOpenRepository(add),
    git.onDidCloseRepository(({ rootUri }) => {
      watched.get(rootUri.toString())?.dispose();
      watched.delete(rootUri.toString());
    }),
  ];
  return {
    dispose: () => {
      for (const part of [...subscriptions, ...watched.values()]) part.dispose();
    },
  };
}

function watch(
  repository: GitRepository,
  binary: string,
  tell: (paths: ReadonlySet<string>) => void,
  log: Log,
): Disposable {
  const root = repository.rootUri.fsPath;
  let head = repository.state.HEAD?.commit;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const before = head;
    head = repository.state.HEAD?.commit;
    if (head === before || head === undefined) return;
    const git = gitIn({ root, binary });
    const [latest] = await readReflog(git);
    // A checkout or a merge moves HEAD as well, and takes nothing of the user's for good.
    if (latest === undefined || latest.sha !== head || !isCommit(latest)) return;
    const named = await git.raw('diff-tree', '--root', '--no-commit-id', '--name-only', '-r', '-z', head);
    tell(
      new Set(
        named
          .split('\0')
          .filter(Boolean)
          .map((name) => join(root, name)),
      ),
    );
  };
  const subscription = repository.state.onDidChange(() => {
    clearTimeout(timer);
    timer = setTimeout(
      () =>
        void look().catch((error: unknown) =>
          log.warn(`The commit in ${root} was not read: ${messageOf(error)}`),
        ),
      SETTLE_MS,
    );
  });
  return {
    dispose: () => {
      clearTimeout(timer);
      subscription.dispose();
    },
  };
}
