/**
 * What becomes of the edits that agents made by the gateway, seen in this window: joins the editor's events and the
 * disk to the pure parts beside this file, and reports shares of surviving lines. No text of a document leaves it. Read
 * are files of the workspace that an agent said it edits, by the paths that the editor names, never by the agent's; of
 * others only what is pasted is compared, while a text of an agent is missing.
 */
import { sep } from 'node:path';
import {
  type Disposable,
  EventEmitter,
  Range,
  type TextDocument,
  type TextDocumentChangeEvent,
  workspace,
} from 'vscode';
import type { EditsProposed } from '../../../agent-server/protocol/editor.ts';
import { Observation, type UserEditObservation } from '../../../agent-server/protocol/observations.ts';
import type { AgentServerClient } from '../../client.ts';
import type { ObservationSpool } from '../observation-spool.ts';
import { stableObservationId } from '../stable-id.ts';
import type { ArrivedEdit } from './arrived-edit.ts';
import { isOurs, openDocument, stepOf, textOf, textOnDisk } from './documents.ts';
import { ExpectedEdits } from './expected-edits.ts';
import { FilesSeen } from './files-seen.ts';
import { FollowedHunks } from './followed-hunks.ts';
import { type Hunk, HunkTracker, type Place } from './hunk-tracker.ts';
import { HunkWatch } from './hunk-watch.ts';
import { survival } from './locate.ts';
import type { Change, Span } from './span.ts';
import { ThrownAway } from './thrown-away.ts';

/** A document's whole text is not read for a keystroke. */
const MIN_ARRIVING_CHARS = 8;
/** Turns of our own agent that are remembered. */
const MAX_REVIEWED = 500;
/** Timers cannot wait longer. */
const MAX_WAIT_MS = 2 ** 31 - 1;

export class HunkCapture implements Disposable {
  readonly #client: AgentServerClient;
  readonly #spool: ObservationSpool;
  readonly #expected = new ExpectedEdits();
  readonly #tracker = new HunkTracker();
  readonly #watch = new HunkWatch(this.#tracker, textOf);
  /** What is followed: git decides of it too (capture/git/). */
  readonly followed = new FollowedHunks(this.#tracker, this.#watch, textOf, () => this.#catchUpWithDisk());
  readonly #files = new FilesSeen();
  readonly #thrownAway = new ThrownAway(this.followed);
  readonly #reviewed = new Set<string>();
  readonly #mayCaptureFile: (path: string) => Promise<boolean>;
  readonly #subscriptions: Disposable[];
  readonly #onDidArrive = new EventEmitter<ArrivedEdit>();
  readonly #onDidChangeHunks = new EventEmitter<void>();
  /** A hunk is followed from now on, or some are no more. */
  readonly onDidChangeHunks = this.#onDidChangeHunks.event;
  #timer: NodeJS.Timeout | undefined;
  /** Told within the event that brought it. */
  readonly onDidArrive = this.#onDidArrive.event;
  readonly #onDidRewrite = new EventEmitter<string>();
  /** A file in which an edit is followed was written by another program, and no agent's edit was seen in it. Its path. */
  readonly onDidRewrite = this.#onDidRewrite.event;
  readonly #onDidMove = new EventEmitter<string>();
  /** A document in which something is followed changed under the editor, by git or another program. Its path. */
  readonly onDidMove = this.#onDidMove.event;

  /** `mayCaptureFile`: may this file be captured (capture/ignore)? */
  constructor(
    client: AgentServerClient,
    spool: ObservationSpool,
    mayCaptureFile: (path: string) => Promise<boolean>,
  ) {
    this.#client = client;
    this.#mayCaptureFile = mayCaptureFile;
    this.#spool = spool;
    const files = workspace.createFileSystemWatcher('**/*', false, false, true);
    this.#subscriptions = [
      this.#onDidArrive,
      this.#onDidRewrite,
      this.#onDidMove,
      files,
      files.onDidCreate(({ fsPath }) => this.#written(fsPath)),
      files.onDidChange(({ fsPath }) => this.#written(fsPath)),
      client.onEditsProposed((proposed) => this.#expect(proposed)),
      workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      workspace.onDidSaveTextDocument((document) => this.#saved(document)),
      workspace.onDidCloseTextDocument((document) => this.#closed(document)),
      workspace.onDidDeleteFiles(({ files }) => {
        for (const { fsPath } of files) this.#deleted(fsPath);
      }),
      workspace.onDidRenameFiles(({ files }) => {
        for (const { oldUri, newUri } of files) this.#renamed(oldUri.fsPath, newUri.fsPath);
      }),
    ];
  }

  /** Of hunks it was decided elsewhere: they were committed, set aside, are back, or are let go. */
  decided(): void {
    this.#arm();
    this.#onDidChangeHunks.fire();
  }

  /** An edit of a turn that this window made itself, and the user took: `proposed` stands, or stood, at `span`. */
  accepted(
    document: TextDocument,
    { turnId, index, proposed, span }: { turnId: string; index: number; proposed: string; span: Span },
  ): void {
    if (!this.#mayCapture() || !isOurs(document)) return;
    this.#follow(
      { id: `${turnId}/${index}`, turnId, edit: null, proposed },
      { document: document.uri.fsPath, span },
    );
    this.#arm();
  }

  /** The edits of this turn are reviewed in this window: what is accepted is told one by one, and nothing else is expected. */
  reviewedHere(turnId: string): void {
    if (this.#reviewed.size >= MAX_REVIEWED) this.#reviewed.clear();
    this.#reviewed.add(turnId);
  }

  /** The agents' hunks in a document that are not committed yet, and of which something is left. */
  placesIn(document: TextDocument): readonly { readonly hunk: Hunk; readonly span: Span }[] {
    if (!isOurs(document)) return [];
    return this.#tracker.placesIn(document.uri.fsPath).filter(({ hunk, span: { start, end } }) => {
      if (this.#watch.isCommitted(hunk.turnId, hunk.id)) return false;
      const range = new Range(document.positionAt(start), document.positionAt(end));
      return survival(hunk.proposed, document.getText(range)) > 0;
    });
  }

  /** Where the turn's edits are in this document now. */
  spans(turnId: string, document: string): Span[] {
    return this.#tracker.hunks().flatMap((hunk): Span[] => {
      if (hunk.turnId !== turnId) return [];
      const found = this.#tracker.look(hunk.id, textOf);
      return found.state === 'here' && found.document === document ? [found.span] : [];
    });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#onDidChangeHunks.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #expect({ turnId, edits }: EditsProposed): void {
    if (!this.#mayCapture() || this.#reviewed.has(turnId)) return;
    this.#expected.expect(turnId, edits, Date.now());
  }

  #changed(event: TextDocumentChangeEvent): void {
    const { document, contentChanges } = event;
    if (contentChanges.length === 0) return;
    const path = document.uri.fsPath;
    const followed = this.#tracker.concerns(path);
    const came = contentChanges.reduce((sum, { text }) => sum + text.length, 0);
    const announced = came >= MIN_ARRIVING_CHARS && this.#expected.concern(path, Date.now());
    // The cheap questions first: most keystrokes are of no concern.
    if ((!followed && !announced) || !isOurs(document)) return;
    const changes = contentChanges.map(
      ({ rangeOffset, rangeLength, text }): Change => ({ offset: rangeOffset, removed: rangeLength, text }),
    );
    const by = this.#thrownAway.changed(path, document.isDirty, stepOf(event));
    if (followed) this.#tracker.change(path, changes, by === 'disk' ? 'disk' : 'editor');
    if (by === 'disk' && followed) this.#onDidMove.fire(path);
    if (by === 'revert') this.#threwAway(this.#thrownAway.gone(path), 'reverted');
    if (announced) this.#look(path, changes, document.getText(), event);
  }

  /** What came in pieces too small to look at, one by one, is there by now. */
  #saved(document: TextDocument): void {
    const { fsPath } = document.uri;
    if (!isOurs(document)) return;
    if (this.#expected.concern(fsPath, Date.now())) this.#look(fsPath, null, document.getText(), null);
    this.#files.note(fsPath);
    this.#threwAway(this.#thrownAway.saved(fsPath), 'reverted');
  }

  /** What was not saved is lost; what was is what the file says. */
  #closed(document: TextDocument): void {
    const { fsPath } = document.uri;
    if (!isOurs(document)) return;
    this.#tracker.leave(fsPath, document.getText());
    this.#files.note(fsPath);
    if (!this.#thrownAway.closed(fsPath)) return;
    this.#tracker.replaced(fsPath, textOnDisk(fsPath) ?? '', 'editor');
    this.#threwAway(this.#thrownAway.gone(fsPath), 'rejected');
  }

  /** A file, or a folder with all that was in it. */
  #deleted(deleted: string): void {
    for (const path of this.#tracker.documents())
      if (path === deleted || path.startsWith(`${deleted}${sep}`))
        this.#threwAway(this.#thrownAway.gone(path), 'rejected');
  }

  /** A file, or a folder with all that is in it. */
  #renamed(from: string, to: string): void {
    for (const path of this.#tracker.documents())
      if (path === from || path.startsWith(`${from}${sep}`)) {
        const renamed = `${to}${path.slice(from.length)}`;
        this.#tracker.renamed(path, renamed);
        void this.#letGoIfIgnored(renamed);
      }
  }

  /** Some agents write files themselves; those that are open tell of it as documents. */
  #written(path: string): void {
    if (openDocument(path) !== undefined) return;
    const text = this.#expected.concern(path, Date.now()) ? textOnDisk(path) : null;
    const arrived = text !== null && this.#look(path, null, text, null);
    if (arrived || !this.#tracker.documents().includes(path)) return;
    this.#onDidMove.fire(path);
    this.#onDidRewrite.fire(path);
  }

  /** Has anything arrived? */
  #look(
    path: string,
    changes: readonly Change[] | null,
    text: string,
    brought: TextDocumentChangeEvent | null,
  ): boolean {
    const nowMs = Date.now();
    const arrived = this.#expected.arrived(path, changes, text, nowMs);
    for (const { turnId, index, edit, span } of arrived) {
      this.followed.takenOver(path, span, new Set(arrived.map((one) => one.turnId)));
      this.#follow(
        { id: `${turnId}/${index}`, turnId, edit: index, proposed: edit.after },
        { document: path, span },
      );
      this.#onDidArrive.fire({ turnId, document: path, span, brought });
    }
    this.#arm();
    return arrived.length > 0;
  }

  /** Asked when an edit has arrived; the answer comes long before the first look at it. */
  async #letGoIfIgnored(path: string): Promise<void> {
    if (await this.#mayCaptureFile(path)) return;
    for (const hunkId of this.#tracker.removeIn(path)) this.#watch.removed(hunkId);
    this.#onDidChangeHunks.fire();
  }

  #follow(hunk: Hunk, place: Place): void {
    const letGo = this.#tracker.add(hunk, place);
    if (letGo !== undefined) this.#watch.forget(letGo.turnId);
    this.#watch.arrived(hunk.turnId, hunk.id, Date.now());
    this.#onDidChangeHunks.fire();
    this.#files.note(place.document);
    void this.#letGoIfIgnored(place.document);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const dueMs = this.#watch.nextDueMs();
    if (dueMs === undefined) return;
    const waitMs = Math.min(Math.max(0, dueMs - Date.now()), MAX_WAIT_MS);
    this.#timer = setTimeout(() => {
      this.#catchUpWithDisk();
      for (const { turnId, moment, survival } of this.#watch.due(Date.now()))
        this.#report(turnId, moment, survival);
      this.#arm();
    }, waitMs);
  }

  /** Files that are not open change without a word. */
  #catchUpWithDisk(): void {
    for (const path of this.#files.changed(this.#tracker.documents()))
      if (openDocument(path) === undefined) this.#tracker.replaced(path, textOnDisk(path) ?? '');
  }

  /** The user threw away all that these turns did. */
  #threwAway(turnIds: readonly string[], moment: 'rejected' | 'reverted'): void {
    for (const turnId of turnIds) this.#report(turnId, moment, this.#watch.survival(turnId));
  }

  #report(turnId: string, moment: UserEditObservation['moment'], survival: number): void {
    if (!this.#mayCapture()) return;
    const observation = {
      kind: 'user_edit',
      // Every window that followed the same edits tells of them by the same id.
      observationId: stableObservationId(turnId, moment, this.#watch.arrivals(turnId)),
      observedAt: new Date().toISOString(),
      turnId,
      moment,
      text: null,
      survival,
    };
    void this.#spool.add(Observation.parse(observation));
  }

  #mayCapture(): boolean {
    return workspace.isTrusted && this.#client.learning === 'on';
  }
}
