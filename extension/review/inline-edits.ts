/**
 * Inline edits in this window: those that an answer is awaited for, and the reviews of what was proposed, one a document;
 * joins both to the editor's events, lenses and marks. A bundle of its own, loaded when first used.
 */
import {
  commands,
  type Disposable,
  l10n,
  languages,
  type TextDocument,
  type TextDocumentChangeEvent,
  type TextEditor,
  window,
  workspace,
} from 'vscode';
import { inlineEditAnswer } from '../../agent-server/environment/code-block.ts';
import type { EditProposal } from '../../agent-server/protocol/editor.ts';
import type { Reviewed } from '../capture/review-capture.ts';
import type { AgentEdit, ProposedReview, ReviewEnd } from './agent-edit.ts';
import { AskedEdit, type AskModel } from './asked-edit.ts';
import { decideAll, decideHunk, hunkOf } from './decide-hunks.ts';
import { Marks } from './marks.ts';
import { type Decision, propose, type Step } from './proposal.ts';
import { ReviewLenses, type Shown } from './review-lenses.ts';
import { type ReviewParts, ReviewSession } from './review-session.ts';
import { nameOf } from './selected-lines.ts';

export interface InlineEditParts {
  ask: AskModel;
  /** Takes secrets out of a text (capture/scrub). */
  scrub(text: string): Promise<string>;
  /** The model is not there yet, and will be. */
  loading(): boolean;
  /** `callId`: the call of the turn's answer that made the edit; null: the answer itself is it. */
  report(document: TextDocument, turnId: string, reviewed: Reviewed, callId: string | null): void;
  /** An accepted hunk, to be followed. Offsets in the document. */
  accepted(
    document: TextDocument,
    hunk: { turnId: string; index: number; proposed: string; span: { start: number; end: number } },
  ): void;
  /** False: there is no model to ask, and the user has been told how to get one. */
  ready(): boolean;
  /** False: the user does not want Apprentice at all. */
  askConsent(): Promise<boolean>;
  showError(error: unknown): Promise<void>;
}

/** What a command is about, as a lens names it: a document's URI and a hunk's index. From the palette nothing. */
export type Target = readonly unknown[];

export class InlineEdits implements Disposable {
  readonly #parts: InlineEditParts;
  readonly #asked = new Map<string, AskedEdit>();
  /** The latest review of a document, also when it has ended: it can be undone. */
  readonly #reviews = new Map<string, ReviewSession>();
  readonly #marks = new Marks();
  readonly #lenses = new ReviewLenses((document) => this.#shown(document));
  readonly #subscriptions: Disposable[];

  constructor(parts: InlineEditParts) {
    this.#parts = parts;
    this.#subscriptions = [
      this.#marks,
      this.#lenses,
      languages.registerCodeLensProvider('*', this.#lenses),
      workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      workspace.onDidCloseTextDocument((document) => this.#closed(document)),
      window.onDidChangeVisibleTextEditors(() => this.#draw()),
      window.onDidChangeActiveTextEditor(() => this.#publish()),
    ];
  }

  /** The command. Errors are shown, not thrown. */
  async edit(): Promise<void> {
    const editor = window.activeTextEditor;
    if (editor === undefined) {
      void window.showInformationMessage(l10n.t('Open a file and select the lines to edit.'));
      return;
    }
    const refusal = this.#refusal(editor.document);
    if (refusal !== null) {
      void window.showWarningMessage(refusal);
      return;
    }
    const { ready, askConsent, showError } = this.#parts;
    const key = keyOf(editor.document);
    const asked = new AskedEdit(editor);
    this.#asked.set(key, asked);
    try {
      if (!ready() || !(await askConsent())) return;
      const proposal = await asked.run(this.#parts, () => this.#draw());
      // The same lines get other marks.
      this.#asked.delete(key);
      if (proposal !== null && !asked.cancelled) await this.#open(asked, proposal);
    } catch (error) {
      // Not awaited: a message can stay on screen for as long as the user likes.
      if (!asked.cancelled) void showError(error);
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key);
      this.#draw();
    }
  }

  /** Puts an edit of our own agent under review; `ended` resolves when the user has decided. */
  async propose(document: TextDocument, edit: AgentEdit): Promise<ProposedReview> {
    const why = this.#refusal(document);
    if (why !== null) return { kind: 'refused', why };
    const { turnId, callId, asAnswer } = edit;
    const step = propose(edit.first, edit.original, edit.proposed);
    if (step === null) return { kind: 'same' };
    const { promise: ended, resolve } = Promise.withResolvers<ReviewEnd>();
    const comments: string[] = [];
    const opened = await this.#start(document, turnId, step, {
      report: (reviewed) => {
        // That it came to nothing is told as the result of the call.
        if (reviewed.kind !== 'patch_review') return;
        if (reviewed.comment !== null) comments.push(reviewed.comment);
        this.#parts.report(document, turnId, reviewed, callId);
      },
      asAnswer: (lines, of) => (of === 'whole' ? asAnswer(lines) : null),
      ended: (decision, lines) => resolve({ decision, comments, left: (lines ?? []).join('\n') }),
    });
    return opened
      ? { kind: 'open', ended }
      : { kind: 'refused', why: l10n.t('{0} could not be changed. Is it read-only?', nameOf(document)) };
  }

  /** Stops all writing. */
  cancel(): void {
    for (const asked of this.#asked.values()) asked.cancel();
  }

  async decide(target: Target, decision: Decision): Promise<void> {
    const review = this.#review(target);
    if (review) await decideHunk(review, indexIn(target), decision);
  }

  async decideAll(target: Target, decision: Decision): Promise<void> {
    const review = this.#review(target);
    if (review) await decideAll(review, decision);
  }

  /** Puts the cursor where the hunk can be written otherwise. */
  async editHunk(target: Target): Promise<void> {
    const review = this.#review(target);
    const index = review && hunkOf(review, indexIn(target));
    if (index !== undefined) await review?.focus(index);
  }

  dispose(): void {
    this.cancel();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  /** Why nothing can be asked of this document; null: it can. */
  #refusal(document: TextDocument): string | null {
    const { scheme } = document.uri;
    if (!workspace.isTrusted)
      return l10n.t('Apprentice reads nothing in a workspace that you have not trusted.');
    if (scheme === 'vscode-notebook-cell') return l10n.t('Apprentice does not edit cells of notebooks.');
    if (scheme !== 'untitled' && workspace.fs.isWritableFileSystem(scheme) !== true)
      return l10n.t('{0} cannot be changed.', nameOf(document));
    const key = keyOf(document);
    if (this.#asked.has(key)) return l10n.t('Apprentice is still writing in this file.');
    if (this.#reviews.get(key)?.isOpen)
      return l10n.t('Accept or reject the changes in this file first: there is one review a file.');
    return null;
  }

  async #open(asked: AskedEdit, { turnId, replacement }: EditProposal): Promise<void> {
    const { document } = asked;
    const closed = (reason: 'cleared' | 'overwritten'): void =>
      this.#parts.report(document, turnId, { kind: 'proposal_closed', reason }, null);
    const before = asked.unchanged();
    if (before === null) {
      closed('overwritten');
      void window.showInformationMessage(
        l10n.t('The lines changed while Apprentice was writing, so its answer was left out. Ask again.'),
      );
      return;
    }
    const step = propose(before.first, before.lines, replacement === '' ? [] : replacement.split('\n'));
    if (step === null) {
      closed('cleared');
      void window.showInformationMessage(l10n.t('The model would leave these lines as they are.'));
      return;
    }
    const opened = await this.#start(document, turnId, step, {
      report: (reviewed) => this.#parts.report(document, turnId, reviewed, null),
      asAnswer: (lines) => inlineEditAnswer(lines.join('\n'), document.languageId),
      ended: () => undefined,
    });
    if (!opened) {
      closed('overwritten');
      void window.showWarningMessage(l10n.t('{0} could not be changed. Is it read-only?', nameOf(document)));
    }
  }

  /** False: the document cannot be changed. */
  async #start(
    document: TextDocument,
    turnId: string,
    step: Step,
    own: Pick<ReviewParts, 'report' | 'asAnswer' | 'ended'>,
  ): Promise<boolean> {
    const key = keyOf(document);
    const parts: ReviewParts = {
      document,
      marks: this.#marks,
      accepted: (index, proposed, span) => this.#parts.accepted(document, { turnId, index, proposed, span }),
      changed: () => this.#publish(),
      ...own,
    };
    const review = await ReviewSession.open(parts, step, (opening) => this.#reviews.set(key, opening));
    if (review === null) this.#reviews.delete(key);
    return review !== null;
  }

  /** The open review of a document, by default of the active editor's. */
  #review([uri]: Target): ReviewSession | undefined {
    const active = window.activeTextEditor?.document;
    const key = typeof uri === 'string' ? uri : active && keyOf(active);
    const review = key === undefined ? undefined : this.#reviews.get(key);
    return review?.isOpen ? review : undefined;
  }

  #changed(event: TextDocumentChangeEvent): void {
    const key = keyOf(event.document);
    this.#reviews.get(key)?.onChange(event);
    const asked = this.#asked.get(key);
    if (asked === undefined) return;
    asked.follow(event.contentChanges.map(({ range: { start, end }, text }) => ({ start, end, text })));
    this.#lenses.changed();
  }

  #closed(document: TextDocument): void {
    const key = keyOf(document);
    this.#asked.get(key)?.cancel();
    this.#reviews.get(key)?.abandon();
    this.#reviews.delete(key);
  }

  #shown(document: TextDocument): Shown | null {
    const key = keyOf(document);
    const asked = this.#asked.get(key);
    const region = asked?.writingAt;
    if (asked && region) return { kind: 'asked', region, linesSoFar: asked.linesSoFar };
    const review = this.#reviews.get(key);
    return review?.isOpen ? { kind: 'review', proposal: review.proposal } : null;
  }

  #draw(): void {
    for (const editor of window.visibleTextEditors) this.#drawIn(editor);
    this.#publish();
  }

  #drawIn(editor: TextEditor): void {
    const shown = this.#shown(editor.document);
    if (shown?.kind === 'asked') this.#marks.drawAsked(editor, shown.region);
    else if (shown?.kind === 'review') this.#marks.draw(editor, shown.proposal);
    else this.#marks.clear(editor);
  }

  #publish(): void {
    this.#lenses.changed();
    const active = window.activeTextEditor?.document;
    const reviewing = active !== undefined && this.#reviews.get(keyOf(active))?.isOpen === true;
    const writing = [...this.#asked.values()].some(({ writingAt }) => writingAt !== null);
    void commands.executeCommand('setContext', 'apprentice.reviewing', reviewing);
    void commands.executeCommand('setContext', 'apprentice.editing', writing);
  }
}

function keyOf({ uri }: TextDocument): string {
  return uri.toString();
}

function indexIn([, index]: Target): number | null {
  return typeof index === 'number' ? index : null;
}
