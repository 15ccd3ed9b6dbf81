/**
 * A git history as a list of commits to learn from, oldest first. Everything read is untrusted text: git gets
 * it only as full object ids behind `--end-of-options`, and no configured program (external diff, textconv,
 * signature check) is run. Asking for messages is left to `arm.ts`.
 */
import { type SimpleGit, simpleGit } from 'simple-git';
import { ApprenticeError } from '../../protocol/errors.ts';

/** A commit whose message can be told from its diff. */
export interface HistoryCommit {
  sha: string;
  tree: string;
  parents: string[];
  message: string;
  /** `git diff` to the first parent (to nothing for a root commit). */
  diff: string;
}

export type SkipReason =
  | 'merge'
  | 'revert'
  | 'version bump'
  | 'bot'
  | 'unfinished'
  | 'no message'
  | 'no text changed'
  | 'too large';

export interface History {
  /** Absolute path of the work tree, as git prints it. */
  repositoryRoot: string;
  /** Oldest first; the newest `limit` that are usable. */
  commits: HistoryCommit[];
  /** How many newer or interleaved commits were passed over, by reason. */
  skipped: Partial<Record<SkipReason, number>>;
}

/** What is known of a commit before its diff is read. */
export interface CommitHeader {
  sha: string;
  tree: string;
  parents: string[];
  authorName: string;
  authorEmail: string;
  message: string;
  filesChanged: number;
  linesChanged: number;
}

const PAGE_COMMITS = 200;
/** Older commits than this are not looked for: they say little about how the author writes now. */
const MAX_SCANNED_COMMITS = 4000;
/** A larger change is an import or a mass edit, which no message can be told from within the token budget. */
const MAX_FILES = 60;
const MAX_LINES = 3000;
const MAX_MESSAGE_CHARS = 8000;
const MAX_DIFF_CHARS = 1_048_576;
const GIT_TIMEOUT_MS = 60_000;

/**
 * The newest `limit` usable commits reachable from HEAD. Throws `invalid_request` when the path is no git
 * repository or has no commits.
 */
export async function readHistory(path: string, limit: number, signal: AbortSignal): Promise<History> {
  const git = openRepository(path, signal);
  const { repositoryRoot, head } = await locate(git, path);
  const skipped: History['skipped'] = {};
  const chosen: HistoryCommit[] = [];
  for (let scanned = 0; scanned < MAX_SCANNED_COMMITS && chosen.length < limit; scanned += PAGE_COMMITS) {
    const page = await readPage(git, head, scanned);
    for (const header of page) {
      if (chosen.length === limit) break;
      const reason = skipReason(header);
      const diff = reason === null ? await readDiff(git, header) : '';
      if (reason === null && diff.length <= MAX_DIFF_CHARS) chosen.push(usable(header, diff));
      else skipped[reason ?? 'too large'] = (skipped[reason ?? 'too large'] ?? 0) + 1;
    }
    if (page.length < PAGE_COMMITS) break;
  }
  return { repositoryRoot, commits: chosen.reverse(), skipped };
}

/** Why a commit is no example of its author's messages, or null when it is one. Pure. */
export function skipReason(header: CommitHeader): SkipReason | null {
  const subject = header.message.split('\n', 1)[0]?.trim() ?? '';
  if (header.parents.length > 1) return 'merge';
  if (/\[bot\]|\bbot\b|^(dependabot|renovate|greenkeeper|snyk|github-actions)/i.test(header.authorName)) {
    return 'bot';
  }
  if (/\[bot\]@|^(bot|noreply-bot)@|\bbot@/i.test(header.authorEmail)) return 'bot';
  if (subject === '') return 'no message';
  if (/^revert\b/i.test(subject) || /^This reverts commit [0-9a-f]{7,}/m.test(header.message))
    return 'revert';
  if (/^(fixup!|squash!|amend!|wip\b)/i.test(subject)) return 'unfinished';
  if (isVersionBump(subject)) return 'version bump';
  if (header.linesChanged === 0) return 'no text changed';
  if (header.filesChanged > MAX_FILES || header.linesChanged > MAX_LINES) return 'too large';
  if (header.message.length > MAX_MESSAGE_CHARS) return 'too large';
  return null;
}

/** `1.2.3`, `v1.2`, `Release 1.2.0`, `chore(release): 1.2.0`, `Bump x from 1 to 2`, `Prepare version 2.0`. */
function isVersionBump(subject: string): boolean {
  const text = subject.replace(/^\w+(\([^)]*\))?!?:\s*/, '');
  const version = String.raw`[\w@/.-]*?v?\d+(\.\d+)+[\w.+-]*`;
  return (
    new RegExp(`^${version}( \\(.*\\))?\\.?$`).test(text) ||
    /^bump\b.*(\bfrom\b.+\bto\b|\bversion\b|\d+\.\d+)/i.test(text) ||
    new RegExp(
      `^(prepare |cut |tag |publish )?(the )?(next )?(release|version)s?( of| version)?:? ${version}`,
      'i',
    ).test(text) ||
    /^\[maven-release-plugin\]/.test(text)
  );
}

function openRepository(path: string, signal: AbortSignal): SimpleGit {
  try {
    return simpleGit({
      baseDir: path,
      abort: signal,
      timeout: { block: GIT_TIMEOUT_MS },
      config: ['log.showSignature=false', 'core.quotePath=false', 'core.fsmonitor=false'],
      unsafe: { allowUnsafeFsMonitor: true },
    });
  } catch (error) {
    throw notARepository(path, error);
  }
}

async function locate(git: SimpleGit, path: string): Promise<{ repositoryRoot: string; head: string }> {
  let repositoryRoot: string;
  try {
    repositoryRoot = (await git.raw(['rev-parse', '--show-toplevel'])).trim();
  } catch (error) {
    throw notARepository(path, error);
  }
  try {
    const head = await git.raw(['rev-parse', '--verify', '--end-of-options', 'HEAD^{commit}']);
    return { repositoryRoot, head: head.trim() };
  } catch (error) {
    throw new ApprenticeError('invalid_request', `${path} has no commits yet.`, 'Name another with --repo.', {
      cause: error,
    });
  }
}

function notARepository(path: string, cause: unknown): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `${path} is not a git work tree.`,
    'Name the folder of a repository with --repo.',
    { cause },
  );
}

async function readPage(git: SimpleGit, head: string, skip: number): Promise<CommitHeader[]> {
  const format = '%x00%H%x00%T%x00%P%x00%an%x00%ae%x00%B%x00';
  const text = await git.raw([
    'log',
    '--topo-order',
    '--shortstat',
    '--no-ext-diff',
    '--no-textconv',
    `--max-count=${PAGE_COMMITS}`,
    `--skip=${skip}`,
    `--format=${format}`,
    '--end-of-options',
    head,
  ]);
  return parsePage(text);
}

/** Fields are parted by NUL, the one byte that no commit message can hold. */
function parsePage(text: string): CommitHeader[] {
  const [, ...fields] = text.split('\0');
  const headers: CommitHeader[] = [];
  for (let at = 0; at + 7 <= fields.length; at += 7) {
    const [sha = '', tree = '', parents = '', authorName = '', authorEmail = '', message = '', stat = ''] =
      fields.slice(at, at + 7);
    headers.push({
      sha,
      tree,
      parents: parents.split(' ').filter((parent) => parent !== ''),
      authorName,
      authorEmail,
      message: message.trim(),
      filesChanged: Number(/(\d+) files? changed/.exec(stat)?.[1] ?? 0),
      linesChanged:
        Number(/(\d+) insertions?\(/.exec(stat)?.[1] ?? 0) +
        Number(/(\d+) deletions?\(/.exec(stat)?.[1] ?? 0),
    });
  }
  return headers;
}

async function readDiff(git: SimpleGit, header: CommitHeader): Promise<string> {
  return git.raw([
    'diff-tree',
    '--patch',
    '--root',
    '--find-renames',
    '--no-commit-id',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--src-prefix=a/',
    '--dst-prefix=b/',
    '--end-of-options',
    header.sha,
  ]);
}

function usable(header: CommitHeader, diff: string): HistoryCommit {
  const { sha, tree, parents, message } = header;
  return { sha, tree, parents, message, diff };
}
