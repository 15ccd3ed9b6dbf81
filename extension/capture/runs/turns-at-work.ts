/**
 * Which turn is at work in which folder of this window, by the editor's events, and the one way by which what is
 * captured of runs leaves it. The rules of belonging are attribution.ts's.
 */
import { randomUUID } from 'node:crypto';
import { type Disposable, EventEmitter, type TextDocument, Uri, workspace } from 'vscode';
import {
  type DiagnosticsObservation,
  Observation,
  type TaskObservation,
  type TerminalObservation,
  type TestRunObservation,
} from '../../../agent-server/protocol/observations.ts';
import type { AgentServerClient } from '../../client.ts';
import type { Log } from '../../log.ts';
import { messageOf } from '../../log.ts';
import type { HunkCapture } from '../hunks/hunk-capture.ts';
import type { ObservationSpool } from '../observation-spool.ts';
import { type Scrub, scrubAll } from '../scrub/scrub.ts';
import { type Attributed, Attribution } from './attribution.ts';

/** What a save changes (a formatter, an organiser of imports) it changes within this time. */
const SAVING_MS = 5_000;

const NONE: ReadonlySet<string> = new Set();

type Told<T> = T extends unknown ? Omit<T, 'observationId' | 'observedAt' | 'turnId'> : never;
/** An observation but for its ids. */
export type RunReport = Told<
  TerminalObservation | TaskObservation | TestRunObservation | DiagnosticsObservation
>;

export class TurnsAtWork implements Disposable {
  readonly #client: AgentServerClient;
  readonly #spool: ObservationSpool;
  readonly #log: Log;
  /** Takes secrets out of a text (capture/scrub). */
  readonly scrub: Scrub;
  readonly #attribution = new Attribution();
  /** When the save began. */
  readonly #saving = new WeakMap<TextDocument, number>();
  /** Documents in which an edit of our own agent is under review. */
  readonly #reviewing = new Set<string>();
  readonly #subscriptions: Disposable[];
  readonly #onDidStop = new EventEmitter<void>();
  /** Learning is not on any more: what is kept in memory goes. */
  readonly onDidStop = this.#onDidStop.event;

  /** Made after `hunks`, which then hears of a change first: an agent's edit is no edit of the user's. */
  constructor(
    client: AgentServerClient,
    spool: ObservationSpool,
    hunks: HunkCapture,
    scrub: Scrub,
    log: Log,
  ) {
    this.#client = client;
    this.#spool = spool;
    this.scrub = scrub;
    this.#log = log;
    this.#subscriptions = [
      this.#onDidStop,
      hunks.onDidArrive(({ turnId, document }) => {
        const folder = this.folderOf(Uri.file(document));
        if (folder !== undefined) this.#attribution.arrived(turnId, folder, document, Date.now());
      }),
      hunks.onDidRewrite((path) => this.#edited(Uri.file(path))),
      workspace.onWillSaveTextDocument(({ document }) => this.#saving.set(document, Date.now())),
      workspace.onDidSaveTextDocument((document) => this.#saving.delete(document)),
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const savingSinceMs = this.#saving.get(document) ?? Number.NEGATIVE_INFINITY;
        if (contentChanges.length > 0 && Date.now() > savingSinceMs + SAVING_MS) this.#edited(document.uri);
      }),
      client.onDidChange(() => {
        if (this.mayCapture) return;
        this.#attribution.clear();
        this.#onDidStop.fire();
      }),
    ];
  }

  /** Consent and trust: without both nothing is read. */
  get mayCapture(): boolean {
    return workspace.isTrusted && this.#client.learning === 'on';
  }

  /** Path of the workspace folder that holds it; undefined: none does, and it is no business of ours. */
  folderOf(uri: Uri | undefined): string | undefined {
    if (uri?.scheme !== 'file') return undefined;
    return workspace.getWorkspaceFolder(uri)?.uri.fsPath;
  }

  /** The turn whose edits stand in the folder's documents now, saved or not; undefined: none. */
  turnIn(folder: string): Attributed | undefined {
    return this.mayCapture ? this.#attribution.turnOf(folder, Date.now(), NONE) : undefined;
  }

  /** The turn that a run belongs to which starts now in the folder; undefined: none. */
  turnOfRun(folder: string): Attributed | undefined {
    if (!this.mayCapture || this.#attribution.isEmpty) return undefined;
    const unsaved = workspace.textDocuments.filter(({ isDirty }) => isDirty).map(({ uri }) => uri.fsPath);
    return this.#attribution.turnOf(folder, Date.now(), new Set(unsaved));
  }

  /** Reports of the turn, as far as learning is still on and the turn has not been reported of too often. */
  report(turnId: string, told: RunReport): void {
    if (!this.mayCapture || !this.#attribution.takeReport(turnId)) return;
    const ids = { turnId, observationId: randomUUID(), observedAt: new Date().toISOString() };
    void this.#send({ ...told, ...ids }).catch((error: unknown) =>
      this.#log.error(`What was run was not reported: ${messageOf(error)}`),
    );
  }

  /** What changes in this document from now on is a review's doing. */
  reviewing(document: string): Disposable {
    this.#reviewing.add(document);
    return { dispose: () => void this.#reviewing.delete(document) };
  }

  /** An edit of our own agent, as its review left it: what the user made of it is not the turn's work alone. */
  reviewed(turnId: string, uri: Uri, decision: 'accepted' | 'edited'): void {
    const folder = this.folderOf(uri);
    if (folder === undefined || !this.mayCapture) return;
    if (decision === 'accepted') this.#attribution.arrived(turnId, folder, uri.fsPath, Date.now());
    else this.#attribution.edited(folder, Date.now());
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #send(observation: object): Promise<void> {
    const parsed = Observation.parse(await scrubAll(observation, this.scrub));
    if (this.mayCapture) await this.#spool.add(parsed);
  }

  #edited(uri: Uri): void {
    if (this.#attribution.isEmpty || this.#reviewing.has(uri.fsPath)) return;
    const folder = this.folderOf(uri);
    if (folder !== undefined) this.#attribution.edited(folder, Date.now());
  }
}
