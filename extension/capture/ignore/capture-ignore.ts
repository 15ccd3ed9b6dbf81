/**
 * May this file be captured? Not when git ignores it, nor when a `.apprenticeignore` at a workspace root or the setting
 * `apprentice.capture.ignore` names it. The lists are lists.ts, what becomes of a diff is withhold.ts.
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Disposable, workspace } from 'vscode';
import { type Log, messageOf } from '../../log.ts';
import { ignoredInSettings } from '../../settings.ts';
import { ignoredByGit } from './ignored-by-git.ts';
import { IgnoreLists, type IgnoreSource } from './lists.ts';
import { withhold } from './withhold.ts';

const LIST_FILE = '.apprenticeignore';
const MAX_LIST_BYTES = 262_144;
const MAX_KNOWN = 500;
/** git's lists outside the workspace change without a word. */
const KNOWN_FOR_MS = 60_000;
const GIT_TIMEOUT_MS = 10_000;

export class CaptureIgnore implements Disposable {
  readonly #gitBinary: () => string | null;
  readonly #log: Log;
  readonly #known = new Map<string, { may: Promise<boolean>; atMs: number }>();
  readonly #subscriptions: Disposable[];

  /** `gitBinary`: the one that VS Code uses; null while there is none, and then files of repositories stay out. */
  constructor(gitBinary: () => string | null, log: Log) {
    this.#gitBinary = gitBinary;
    this.#log = log;
    const files = workspace.createFileSystemWatcher(`**/{.gitignore,${LIST_FILE}}`);
    const forget = (): void => this.#known.clear();
    this.#subscriptions = [
      files,
      files.onDidCreate(forget),
      files.onDidChange(forget),
      files.onDidDelete(forget),
      workspace.onDidChangeWorkspaceFolders(forget),
      workspace.onDidChangeConfiguration(
        (event) => event.affectsConfiguration('apprentice.capture.ignore') && forget(),
      ),
    ];
  }

  /** `path` is absolute. Does not throw: what cannot be found out may not be captured. */
  mayCapture(path: string): Promise<boolean> {
    const known = this.#known.get(path);
    if (known !== undefined && Date.now() - known.atMs < KNOWN_FOR_MS) return known.may;
    const may = this.#find(path).catch((error: unknown) => {
      this.#log.warn(
        `${path} is not captured: whether it is ignored was not found out (${messageOf(error)}).`,
      );
      return false;
    });
    this.#known.delete(path);
    this.#known.set(path, { may, atMs: Date.now() });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return may;
  }

  /** Those of these files (absolute) that may be captured; git is asked once a repository. Does not throw, as `mayCapture`. */
  async mayCaptureAll(paths: readonly string[]): Promise<ReadonlySet<string>> {
    try {
      const lists = await this.#lists([]);
      const left = paths.filter((path) => !lists.names(path));
      const ignored = await this.#ignored(left);
      return new Set(left.filter((path) => !ignored.has(path)));
    } catch (error) {
      this.#log.warn(
        `${paths.length} files are left out: which are ignored was not found out (${messageOf(error)}).`,
      );
      return new Set();
    }
  }

  /** Does a list name this file, whatever git says of it? Does not throw: what cannot be read names all. */
  async isNamed(path: string): Promise<boolean> {
    try {
      return (await this.#lists([])).names(path);
    } catch (error) {
      this.#log.warn(`${path} is not captured: the lists were not read (${messageOf(error)}).`);
      return true;
    }
  }

  /** `diff` of the work tree at `root` without the lines of files that a list names. git lists none that it tracks. */
  async withhold(diff: string, root: string): Promise<string> {
    const lists = await this.#lists([root]);
    return withhold(diff, (path) => lists.names(join(root, path)));
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #find(path: string): Promise<boolean> {
    if ((await this.#lists([])).names(path)) return false;
    return !(await this.#ignored([path])).has(path);
  }

  async #lists(more: readonly string[]): Promise<IgnoreLists> {
    const folders = (workspace.workspaceFolders ?? []).flatMap(({ uri }) =>
      uri.scheme === 'file' ? [uri.fsPath] : [],
    );
    const all = [...new Set([...folders, ...more])];
    const sources = await Promise.all(
      all.map(async (folder): Promise<IgnoreSource[]> => {
        const list = await listIn(folder);
        return [...(list === null ? [] : [{ folder, patterns: list }]), ...settingsFor(folder)];
      }),
    );
    return new IgnoreLists(sources.flat());
  }

  #ignored(paths: readonly string[]): Promise<ReadonlySet<string>> {
    return ignoredByGit(paths, this.#gitBinary(), AbortSignal.timeout(GIT_TIMEOUT_MS));
  }
}

/** Null: there is none. Throws when it cannot be read, or is too long to be a list. */
async function listIn(folder: string): Promise<string | null> {
  const file = join(folder, LIST_FILE);
  if (!existsSync(file)) return null;
  const { size } = await stat(file);
  if (size > MAX_LIST_BYTES) throw new Error(`${file} is over ${MAX_LIST_BYTES} bytes`);
  return readFile(file, 'utf8');
}

/** The user's list and the workspace's add up: what a repository brings with it takes nothing away from the user's. */
function settingsFor(folder: string): IgnoreSource[] {
  return ignoredInSettings(folder)
    .filter((patterns) => patterns.length > 0)
    .map((patterns) => ({ folder, patterns }));
}
