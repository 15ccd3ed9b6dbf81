/**
 * Errors and warnings that appear in, or vanish from, the lines of open documents that an agent's turn changed. They are
 * read once the language servers have come to rest. Following lines and comparing is touched-problems.ts's.
 */
import {
  type Diagnostic,
  DiagnosticSeverity,
  type Disposable,
  languages,
  type TextDocument,
  type TextDocumentChangeEvent,
  workspace,
} from 'vscode';
import type { DiagnosticsObservation } from '../../../agent-server/protocol/observations.ts';
import type { ArrivedEdit } from '../hunks/arrived-edit.ts';
import type { HunkCapture } from '../hunks/hunk-capture.ts';
import { keptText } from '../runs/kept-text.ts';
import type { TurnsAtWork } from '../runs/turns-at-work.ts';
import { type Problem, TouchedProblems } from './touched-problems.ts';

/** Servers tell in several pieces: syntax first, then types, then linters. */
const QUIET_MS = 2_000;
/** A server that has not begun by then, or never rests, is not waited for. */
const LIMIT_MS = 30_000;
/** Documents watched at once; the oldest is given up for a new one. */
const MAX_WATCHED = 20;
const MAX_MESSAGE_CHARS = 1_000;
const MAX_WORD_CHARS = 100;
const MAX_PATH_CHARS = 4_096;

interface Watched {
  readonly turnId: string;
  readonly folder: string;
  readonly document: TextDocument;
  readonly problems: TouchedProblems;
  /** The last change that an edit of the agent's came with. */
  brought: TextDocumentChangeEvent;
  limit: NodeJS.Timeout;
  quiet: NodeJS.Timeout | undefined;
}

export class DiagnosticsCapture implements Disposable {
  readonly #turns: TurnsAtWork;
  readonly #mayCaptureFile: (path: string) => Promise<boolean>;
  readonly #hunks: HunkCapture;
  /** By path: of a document the turn that changed it last. */
  readonly #watched = new Map<string, Watched>();
  readonly #subscriptions: Disposable[];

  /** Made after `hunks` and `turns`, which hear of a change first. */
  /** `mayCaptureFile`: may this file be captured (capture/ignore)? Does not reject. */
  constructor(turns: TurnsAtWork, hunks: HunkCapture, mayCaptureFile: (path: string) => Promise<boolean>) {
    this.#mayCaptureFile = mayCaptureFile;
    this.#turns = turns;
    this.#hunks = hunks;
    this.#subscriptions = [
      hunks.onDidArrive((edit) => this.#arrived(edit)),
      workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      workspace.onDidCloseTextDocument(({ uri }) => this.#forget(uri.fsPath)),
      languages.onDidChangeDiagnostics(({ uris }) => {
        if (this.#watched.size > 0) for (const { fsPath } of uris) this.#said(fsPath);
      }),
      turns.onDidStop(() => this.#forgetAll()),
    ];
  }

  dispose(): void {
    this.#forgetAll();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #arrived({ turnId, document: path, brought }: ArrivedEdit): void {
    // Found on the disk, or in pieces: what servers said before it came is not known.
    if (brought === null || !this.#turns.mayCapture) return;
    const { document } = brought;
    const folder = this.#turns.folderOf(document.uri);
    if (folder === undefined) return;
    const known = this.#watched.get(path);
    if (known?.turnId === turnId) {
      if (known.brought !== brought) known.problems.changed(lineChanges(brought), 'agent');
      known.brought = brought;
      clearTimeout(known.limit);
      clearTimeout(known.quiet);
      known.limit = this.#readAfter(path, LIMIT_MS);
      return;
    }
    this.#forget(path);
    // Servers have not read the change yet: this is what they say of the text before.
    const problems = new TouchedProblems(problemsOf(document));
    problems.changed(lineChanges(brought), 'agent');
    const limit = this.#readAfter(path, LIMIT_MS);
    this.#watched.set(path, { turnId, folder, document, problems, brought, limit, quiet: undefined });
    const [oldest] = this.#watched.keys();
    if (this.#watched.size > MAX_WATCHED && oldest !== undefined) this.#forget(oldest);
  }

  #changed(event: TextDocumentChangeEvent): void {
    const watched = this.#watched.get(event.document.uri.fsPath);
    if (watched !== undefined && watched.brought !== event)
      watched.problems.changed(lineChanges(event), 'other');
  }

  #said(path: string): void {
    const watched = this.#watched.get(path);
    if (watched === undefined) return;
    clearTimeout(watched.quiet);
    watched.quiet = this.#readAfter(path, QUIET_MS);
  }

  #readAfter(path: string, waitMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#read(path), waitMs);
  }

  #read(path: string): void {
    const watched = this.#watched.get(path);
    if (watched === undefined) return;
    this.#forget(path);
    const { turnId, folder, document, problems } = watched;
    const atWork = this.#turns.turnIn(folder);
    // Another's edits, or the user's, came in between: whose they are is not known.
    if (atWork?.turnId !== turnId || atWork.editedSince) return;
    const lines = this.#hunks.spans(turnId, path).map(({ start, end }) => ({
      startLine: document.positionAt(start).line,
      endLine: document.positionAt(end).line,
    }));
    const { appeared, vanished } = problems.compare(problemsOf(document), lines);
    if (appeared.length === 0 && vanished.length === 0) return;
    const told = (all: Problem[]): DiagnosticsObservation['appeared'] =>
      all.map(({ startLine, severity, source, code, message }) => ({
        path: workspace.asRelativePath(document.uri, false).slice(0, MAX_PATH_CHARS),
        line: startLine + 1,
        severity,
        source,
        code,
        message,
      }));
    const report = { kind: 'diagnostics' as const, appeared: told(appeared), vanished: told(vanished) };
    void this.#mayCaptureFile(path).then((may) => {
      if (may) this.#turns.report(turnId, report);
    });
  }

  #forget(path: string): void {
    const watched = this.#watched.get(path);
    clearTimeout(watched?.limit);
    clearTimeout(watched?.quiet);
    this.#watched.delete(path);
  }

  #forgetAll(): void {
    for (const path of [...this.#watched.keys()]) this.#forget(path);
  }
}

function lineChanges({ contentChanges }: TextDocumentChangeEvent) {
  return contentChanges.map(({ range, text }) => ({
    startLine: range.start.line,
    endLine: range.end.line,
    newLines: text.split('\n').length - 1,
  }));
}

function problemsOf({ uri }: TextDocument): Problem[] {
  return languages.getDiagnostics(uri).flatMap((diagnostic): Problem[] => {
    const severity = severityOf(diagnostic);
    const { range, source, message } = diagnostic;
    return severity === null
      ? []
      : [
          {
            startLine: range.start.line,
            endLine: range.end.line,
            severity,
            source: (source ?? 'unknown').slice(0, MAX_WORD_CHARS),
            code: codeOf(diagnostic),
            message: keptText(message, MAX_MESSAGE_CHARS),
          },
        ];
  });
}

function severityOf({ severity }: Diagnostic): Problem['severity'] | null {
  if (severity === DiagnosticSeverity.Error) return 'error';
  return severity === DiagnosticSeverity.Warning ? 'warning' : null;
}

function codeOf({ code }: Diagnostic): string | null {
  const value = typeof code === 'object' ? code.value : code;
  return value === undefined ? null : String(value).slice(0, MAX_WORD_CHARS);
}
