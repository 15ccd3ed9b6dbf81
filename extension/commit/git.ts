/** A git to run in one repository, and the bounded reading of a diff that staged changes and commits share. */
import { type SimpleGit, simpleGit } from 'simple-git';

const SILENT_TIMEOUT_MS = 30_000;
const DIFF_TIMEOUT_MS = 60_000;
/** Keeps within StagedChange's limit in characters; beyond it a diff says nothing more to a model. */
const MAX_DIFF_BYTES = 1_048_576;

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

export interface GitPlace {
  /** A folder in the work tree. */
  root: string;
  /** The git that VS Code itself uses: its setting is the machine's, no workspace can change it. */
  binary: string;
}

/** Where diffs are read for others to see. */
export interface DiffPlace extends GitPlace {
  /** Takes out of a diff of the work tree at `root` what may not leave the window. The same text gives the same. */
  clean(diff: string, root: string): Promise<string>;
  /** Takes secrets out of any other text. */
  scrub(text: string): Promise<string>;
}

/** How texts are made fit to leave the window. */
export type Cleaning = Pick<DiffPlace, 'clean' | 'scrub'>;

export function gitIn({ root, binary }: GitPlace, signal?: AbortSignal): SimpleGit {
  return simpleGit({
    baseDir: root,
    binary,
    timeout: { block: SILENT_TIMEOUT_MS },
    unsafe: { allowUnsafeCustomBinary: true },
    allowEnvironment: ['GIT_INDEX_FILE'],
    ...(signal ? { abort: signal } : {}),
  });
}

/** The index against HEAD (or nothing, before the first commit), or against another tree; cut and cleaned. */
export function stagedDiff(
  place: DiffPlace,
  signal: AbortSignal,
  against: string | null = null,
): Promise<string> {
  const base = against === null ? [] : [against];
  return boundedDiff(place, ['diff', '--cached', ...DIFF_OPTIONS, ...base], signal);
}

/** A commit against its first parent (null: against nothing), read as the staged diff was. */
export function commitDiff(place: DiffPlace, sha: string, parent: string | null): Promise<string> {
  const signal = AbortSignal.timeout(DIFF_TIMEOUT_MS);
  return parent === null
    ? boundedDiff(place, ['diff-tree', '--root', '--no-commit-id', '-r', ...DIFF_OPTIONS, sha], signal)
    : boundedDiff(place, ['diff', ...DIFF_OPTIONS, parent, sha], signal);
}

/** Ends git as soon as it has said enough: a diff can be larger than memory. */
async function boundedDiff(place: DiffPlace, command: string[], signal: AbortSignal): Promise<string> {
  const enough = new AbortController();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const git = gitIn(place, AbortSignal.any([signal, enough.signal])).outputHandler((_command, stdout) => {
    stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_DIFF_BYTES) enough.abort();
    });
  });
  try {
    await git.raw(command);
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  }
  // Cut before decoding, so that both sides of the match are cut at the same byte.
  const text = Buffer.concat(chunks).subarray(0, MAX_DIFF_BYTES).toString('utf8');
  return (await place.clean(text, place.root)).slice(0, MAX_DIFF_BYTES);
}
