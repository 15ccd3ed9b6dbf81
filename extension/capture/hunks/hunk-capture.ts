/**
 * What becomes of the edits that agents made by the gateway, seen in this window: joins the editor's events and the
 * disk to the pure parts beside this file, and reports shares of surviving lines. No text of a document leaves it, and
 * no document is read but those that an agent said it edits, inside the workspace.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import {
  type Disposable,
  type FileSystemWatcher,
  RelativePattern,
  type TextDocument,
  type TextDocumentChangeEvent,
  Uri,
  workspace,
} from 'vscode';
import { Observation } from '../../../agent-server/protocol/observations.ts';
import type { AgentServerClient, EditsProposed } from '../../client.ts';
import type { ObservationSpool } from '../observation-spool.ts';
import { ExpectedEdits } from './expected-edits.ts';
import { HunkTracker } from './hunk-tracker.ts';
import { HunkWatch, type Look } from './hunk-watch.ts';
import type { Change } from './span.ts';

/** A larger file is no source that an agent edits. */
const MAX_FILE_BYTES = 2_000_000;
/** A document's whole text is not read for a keystroke. */
const MIN_ARRIVING_CHARS = 8;
/** Files on the disk that are watched at once. */
const MAX_WATCHED = 100;
/** Timers cannot wait longer. */
const MAX_WAIT_MS = 2 ** 31 - 1;

export class HunkCapture implements Disposable {
  readonly #client: AgentServerClient;
  readonly #spool: ObservationSpool;
  readonly #expected = new ExpectedEdits();
  readonly #tracker = new HunkTracker();
  readonly #watch = new HunkWatch(this.#tracker, textOf);
  /** By path. */
  readonly #watchers = new Map<string, FileSystemWatcher>();
  readonly #subscriptions: Disposable[];
  #timer: NodeJS.Timeout | undefined;

  constructor(client: AgentServerClient, spool: ObservationSpool) {
    this.#client = client;
    this.#spool = spool;
    this.#subscriptions = [
      client.onEditsProposed((proposed) => this.#expect(proposed)),
      workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      workspace.onDidSaveTextDocument((document) => this.#saved(document)),
      workspace.onDidRenameFiles(({ files }) => {
        for (const { oldUri, newUri } of files) this.#renamed(oldUri.fsPath, newUri.fsPath);
      }),
    ];
  }

  /** These files were committed as they are. */
  committed(paths: ReadonlySet<string>): void {
    this.#catchUpWithDisk();
    this.#report(this.#watch.committed(paths));
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const part of [...this.#subscriptions, ...this.#watchers.values()]) part.dispose();
  }

  #expect({ turnId, edits }: EditsProposed): void {
    if (!this.#mayCapture()) return;
    this.#expected.expect(turnId, edits, Date.now());
    for (const { path } of edits) for (const file of inWorkspace(path)) this.#watchFile(file);
  }

  #changed({ document, contentChanges }: TextDocumentChangeEvent): void {
    if (contentChanges.length === 0 || document.uri.scheme !== 'file') return;
    const path = document.uri.fsPath;
    const nowMs = Date.now();
    const followed = this.#tracker.concerns(path);
    const came = contentChanges.reduce((sum, { text }) => sum + text.length, 0);
    const announced = came >= MIN_ARRIVING_CHARS && this.#expected.concern(path, nowMs);
    if (!followed && !announced) return;
    const changes = contentChanges.map(
      ({ rangeOffset, rangeLength, text }): Change => ({ offset: rangeOffset, removed: rangeLength, text }),
    );
    if (followed) this.#tracker.change(path, changes, () => document.getText());
    if (announced) this.#look(path, changes, document.getText());
  }

  /** What came in pieces too small to look at, one by one, is there by now. */
  #saved(document: TextDocument): void {
    const { scheme, fsPath } = document.uri;
    if (scheme === 'file' && this.#expected.concern(fsPath, Date.now()))
      this.#look(fsPath, null, document.getText());
  }

  /** A file, or a folder with all that is in it. */
  #renamed(from: string, to: string): void {
    for (const path of this.#tracker.documents())
      if (path === from || path.startsWith(`${from}${sep}`))
        this.#tracker.renamed(path, `${to}${path.slice(from.length)}`);
  }

  /** Some agents write files themselves; those that are open tell of it as documents. */
  #watchFile(path: string): void {
    if (this.#watchers.has(path)) return;
    const [oldest] = this.#watchers;
    if (this.#watchers.size >= MAX_WATCHED && oldest !== undefined) {
      oldest[1].dispose();
      this.#watchers.delete(oldest[0]);
    }
    const folder = workspace.getWorkspaceFolder(Uri.file(path));
    if (folder === undefined) return;
    const pattern = new RelativePattern(folder, relative(folder.uri.fsPath, path).replaceAll('\\', '/'));
    const watcher = workspace.createFileSystemWatcher(pattern);
    const onDisk = (): void => {
      const text = openDocument(path) === undefined ? textOnDisk(path) : null;
      if (text !== null) this.#look(path, null, text);
    };
    watcher.onDidChange(onDisk);
    watcher.onDidCreate(onDisk);
    this.#watchers.set(path, watcher);
    // It may have been written before the announcement came.
    onDisk();
  }

  #look(path: string, changes: readonly Change[] | null, text: string): void {
    const nowMs = Date.now();
    for (const { turnId, index, edit, span } of this.#expected.arrived(path, changes, text, nowMs)) {
      const id = `${turnId}/${index}`;
      const hunk = { id, turnId, proposed: edit.after, replaced: edit.before ?? '' };
      const letGo = this.#tracker.add(hunk, { document: path, span });
      if (letGo !== undefined) this.#watch.forget(letGo.turnId);
      this.#watch.arrived(turnId, id, nowMs);
    }
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const dueMs = this.#watch.nextDueMs();
    if (dueMs === undefined) return;
    const waitMs = Math.min(Math.max(0, dueMs - Date.now()), MAX_WAIT_MS);
    this.#timer = setTimeout(() => {
      this.#catchUpWithDisk();
      this.#report(this.#watch.due(Date.now()));
      this.#arm();
    }, waitMs);
  }

  /** Files that are not open change without a word. */
  #catchUpWithDisk(): void {
    for (const path of this.#tracker.documents()) {
      const text = openDocument(path) === undefined ? textOnDisk(path) : null;
      if (text !== null) this.#tracker.replaced(path, text);
    }
  }

  #report(looks: readonly Look[]): void {
    if (!this.#mayCapture()) return;
    for (const { turnId, moment, survival } of looks) {
      const observation = {
        kind: 'user_edit',
        observationId: randomUUID(),
        observedAt: new Date().toISOString(),
        turnId,
        moment,
        text: null,
        survival,
      };
      void this.#spool.add(Observation.parse(observation));
    }
  }

  #mayCapture(): boolean {
    return workspace.isTrusted && this.#client.learning === 'on';
  }
}

/** The files of the workspace that an agent may have meant; none outside of it. */
function inWorkspace(named: string): string[] {
  if (isAbsolute(named)) return workspace.getWorkspaceFolder(Uri.file(named)) ? [named] : [];
  return (workspace.workspaceFolders ?? [])
    .map((folder) => join(folder.uri.fsPath, named))
    .filter((path) => workspace.getWorkspaceFolder(Uri.file(path)) !== undefined);
}

function openDocument(path: string): TextDocument | undefined {
  return workspace.textDocuments.find(
    ({ uri, isClosed }) => uri.scheme === 'file' && !isClosed && uri.fsPath === path,
  );
}

function textOf(path: string): string | null {
  return openDocument(path)?.getText() ?? textOnDisk(path);
}

function textOnDisk(path: string): string | null {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? readFileSync(path, 'utf8') : null;
  } catch {
    // Gone, or not ours to read: nothing of an agent's is in it then.
    return null;
  }
}
