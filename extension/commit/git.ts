/** A git to run in one repository, and the bounded reading of a diff that staged changes and commits share. */
import { type SimpleGit, simpleGit } from 'simple-git';
import { scrubSecrets } from './scrub.ts';

const SILENT_TIMEOUT_MS = 30_000;
/** StagedChange's limit; beyond it a diff says nothing more to a model. */
const MAX_DIFF_CHARS = 1_048_576;

/**
 * Both sides of the match read their diff with these, whatever the user's configuration: no colour, no
 * external program, git's own prefixes, context and rename detection.
 */
const DIFF_OPTIONS = [
  '--patch',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--src-prefix=a/',
  '--dst-prefix=b/',
  '--unified=3',
  '--inter-hunk-context=0',
  '--diff-algorithm=myers',
  '--find-renames=50%',
  '--submodule=short',
];

/** `binary` is the git that VS Code itself uses: its setting is the machine's, no workspace can change it. */
export function gitIn(root: string, binary: string, signal?: AbortSignal): SimpleGit {
  return simpleGit({
    baseDir: root,
    binary,
    timeout: { block: SILENT_TIMEOUT_MS },
    unsafe: { allowUnsafeCustomBinary: true },
    allowEnvironment: ['GIT_INDEX_FILE'],
    ...(signal ? { abort: signal } : {}),
  });
}

/** The index against HEAD (or nothing, before the first commit), scrubbed and cut. */
export function stagedDiff(git: SimpleGit): Promise<string> {
  return boundedDiff(git, ['diff', '--cached', ...DIFF_OPTIONS]);
}

/** A commit against its first parent (null: against nothing), read as the staged diff was. */
export function commitDiff(git: SimpleGit, sha: string, parent: string | null): Promise<string> {
  return parent === null
    ? boundedDiff(git, ['diff-tree', '--root', '--no-commit-id', '-r', ...DIFF_OPTIONS, sha])
    : boundedDiff(git, ['diff', ...DIFF_OPTIONS, parent, sha]);
}

async function boundedDiff(git: SimpleGit, command: string[]): Promise<string> {
  const diff = await git.raw(command);
  return scrubSecrets(diff.slice(0, MAX_DIFF_CHARS)).slice(0, MAX_DIFF_CHARS);
}
