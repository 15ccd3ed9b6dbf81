/** Which of many files git ignores, asked once a repository. What else is not to be captured is capture-ignore.ts's. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gitIn } from '../../commit/git.ts';

/** A command line has room for no more. */
const PATHS_AT_ONCE = 200;

/** `paths` are absolute, `binary` the git to ask; null: there is none. Throws when git does not say. */
export async function ignoredByGit(
  paths: readonly string[],
  binary: string | null,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const ignored = new Set<string>();
  for (const [root, inside] of Map.groupBy(paths, (path) => repositoryOf(dirname(path)))) {
    if (root === null) continue;
    if (binary === null) throw new Error('the built-in Git extension is off');
    const git = gitIn({ root, binary }, signal);
    for (let at = 0; at < inside.length; at += PATHS_AT_ONCE) {
      const some = inside.slice(at, at + PATHS_AT_ONCE);
      const said = await git.raw('check-ignore', '--verbose', '--non-matching', '--', ...some);
      for (const path of ignoredOf(some, said)) ignored.add(path);
    }
  }
  return ignored;
}

/** The folder of the work tree that holds this one; null: it is in none. */
function repositoryOf(folder: string): string | null {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return null;
  }
}

/** A line each, in order: `::` where no pattern matches, a pattern with `!` where one takes it back. Names are quoted as git pleases. */
function ignoredOf(paths: readonly string[], said: string): string[] {
  const lines = said.split('\n').filter((line) => line !== '');
  if (lines.length !== paths.length) throw new Error(`git told of ${lines.length} of ${paths.length} files`);
  return paths.filter((_, index) => !/^(?:::\t|[^\t]*:\d+:![^\t]*\t)/.test(lines[index] ?? ''));
}
