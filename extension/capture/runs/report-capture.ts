/**
 * Test reports that runners write into the workspace: read by the names that VS Code's watchers give, once their writer
 * has come to rest, and told as one test run. Which files are reports is report-files.ts's.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { type Disposable, type LogOutputChannel, type Uri, workspace } from 'vscode';
import { messageOf } from '../../log.ts';
import type { Attributed } from './attribution.ts';
import type { EarlierRuns } from './earlier-runs.ts';
import { keptOutput } from './kept-text.ts';
import { isReport, MAX_REPORT_BYTES, REPORT_GLOBS } from './report-files.ts';
import type { TurnsAtWork } from './turns-at-work.ts';

/** Runners write a file for each class, one after the other. */
const QUIET_MS = 2_000;
/** What is written after that is another run. */
const LIMIT_MS = 30_000;
/** Of one run; what is beyond is not read. */
const MAX_FILES = 100;

interface Written {
  readonly attributed: Attributed | undefined;
  readonly sinceMs: number;
  readonly paths: Set<string>;
  timer: NodeJS.Timeout | undefined;
}

export class ReportCapture implements Disposable {
  readonly #turns: TurnsAtWork;
  readonly #earlier: EarlierRuns;
  readonly #isNamed: (path: string) => Promise<boolean>;
  readonly #log: LogOutputChannel;
  /** By workspace folder. */
  readonly #written = new Map<string, Written>();
  readonly #subscriptions: Disposable[];

  /** `isNamed`: does a list of the user's name this file (capture/ignore)? That git ignores it says nothing: it was made. */
  constructor(
    turns: TurnsAtWork,
    earlier: EarlierRuns,
    isNamed: (path: string) => Promise<boolean>,
    log: LogOutputChannel,
  ) {
    this.#turns = turns;
    this.#isNamed = isNamed;
    this.#earlier = earlier;
    this.#log = log;
    const watchers = REPORT_GLOBS.map((glob) => workspace.createFileSystemWatcher(glob, false, false, true));
    this.#subscriptions = [
      ...watchers,
      ...watchers.flatMap((watcher) => [
        watcher.onDidCreate((uri) => this.#seen(uri)),
        watcher.onDidChange((uri) => this.#seen(uri)),
      ]),
      turns.onDidStop(() => this.#forgetAll()),
    ];
  }

  dispose(): void {
    this.#forgetAll();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #seen(uri: Uri): void {
    const folder = this.#turns.folderOf(uri);
    if (!this.#turns.mayCapture || folder === undefined) return;
    const nowMs = Date.now();
    const fresh = { attributed: this.#turns.turnOfRun(folder), sinceMs: nowMs, paths: new Set<string>() };
    const written: Written = this.#written.get(folder) ?? { ...fresh, timer: undefined };
    this.#written.set(folder, written);
    if (written.paths.size < MAX_FILES) written.paths.add(uri.fsPath);
    clearTimeout(written.timer);
    const waitMs = Math.max(0, Math.min(QUIET_MS, written.sinceMs + LIMIT_MS - nowMs));
    written.timer = setTimeout(() => {
      this.#written.delete(folder);
      void this.#tell(folder, written).catch((error: unknown) =>
        this.#log.warn(`Test reports in ${folder} were not read: ${messageOf(error)}`),
      );
    }, waitMs);
  }

  async #tell(folder: string, { attributed, sinceMs, paths }: Written): Promise<void> {
    const files: string[] = [];
    const texts: string[] = [];
    for (const path of [...paths].sort()) {
      const text = (await this.#isNamed(path)) ? null : await reportIn(folder, path);
      if (text === null) continue;
      files.push(relative(folder, path));
      texts.push(text);
    }
    if (files.length === 0 || !this.#turns.mayCapture) return;
    const output = await keptOutput(texts.join('\n'), this.#turns.scrub);
    // Other files are other tests.
    const key = ['reports', ...files].join('\n');
    if (attributed !== undefined) {
      const { turnId, arrivedMs, editedSince } = attributed;
      const before = this.#earlier.before(key, folder, arrivedMs)?.output ?? null;
      const run = { exitCode: null, output, before, testDiff: null, editedSince };
      this.#turns.report(turnId, { kind: 'test_run', ...run });
    }
    this.#earlier.remember(key, folder, { exitCode: null, output }, sinceMs);
  }

  #forgetAll(): void {
    for (const { timer } of this.#written.values()) clearTimeout(timer);
    this.#written.clear();
  }
}

/** The text of a report; null: gone, too large, something else, or a link to a file of somewhere else. */
async function reportIn(folder: string, path: string): Promise<string | null> {
  try {
    const [root, file] = await Promise.all([realpath(folder), realpath(path)]);
    if (!file.startsWith(`${root}${sep}`)) return null;
    const found = await stat(file);
    if (!found.isFile() || found.size > MAX_REPORT_BYTES) return null;
    const text = await readFile(file, 'utf8');
    return isReport(text) ? text : null;
  } catch {
    // Taken away again by its writer: there is nothing to tell.
    return null;
  }
}
