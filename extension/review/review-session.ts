/**
 * One proposal under review in one document: shown in place, decided hunk by hunk, followed through whatever else happens
 * to the document. What a decision means for the hunks is proposal.ts's, the commands are inline-edits.ts's.
 */
import {
  Position,
  Range,
  Selection,
  type TextDocument,
  type TextDocumentChangeEvent,
  TextDocumentChangeReason,
  type TextEditor,
  window,
} from 'vscode';
import type { Reviewed } from '../capture/review-capture.ts';
import { type LineEdit, type TextChange, textChange } from './line-range.ts';
import type { Marks } from './marks.ts';
import {
  type Decision,
  decide,
  follow,
  hunkOutcome,
  linesOf,
  outcome,
  type Proposal,
  type Step,
  undecided,
} from './proposal.ts';
import { ReviewHistory } from './review-history.ts';
import { UndoWalk } from './undo-walk.ts';

export interface ReviewParts {
  document: TextDocument;
  marks: Marks;
  report(reviewed: Reviewed): void;
  /** An accepted hunk: what the agent proposed, and where it is, in offsets. */
  accepted(index: number, proposed: string, span: { start: number; end: number }): void;
  /** What the user made of one hunk, or of the whole, as the answer would have said it; null: it could not. */
  asAnswer(lines: readonly string[], of: 'hunk' | 'whole'): string | null;
  /** Hunks came, moved or went. */
  changed(): void;
  /** It has ended, once: the lines as they are now, or null when they are gone, or the document is. */
  ended(decision: Decision | 'edited' | 'left', lines: readonly string[] | null): void;
}

export class ReviewSession {
  readonly document: TextDocument;
  readonly #parts: ReviewParts;
  readonly #history: ReviewHistory;
  readonly #walk: UndoWalk;
  #proposal: Proposal;
  #state: 'open' | 'ended' = 'open';
  /** Our own edit, from its request until the document tells of it. */
  #own: { readonly changes: readonly TextChange[]; readonly proposal: Proposal } | null = null;
  /** What was reported of the whole, to be said again when it is undone and redone. */
  #said: Reviewed | null = null;

  private constructor(parts: ReviewParts, step: Step) {
    this.#parts = parts;
    this.document = parts.document;
    this.#history = new ReviewHistory(parts.document.getText());
    this.#walk = new UndoWalk(parts.document);
    this.#proposal = step.proposal;
  }

  /**
   * Puts a proposal into the document. Null: the document cannot be changed. `opening`: to whom its changes are to be
   * told from now on, the first one among them.
   */
  static async open(
    parts: ReviewParts,
    step: Step,
    opening: (session: ReviewSession) => void,
  ): Promise<ReviewSession | null> {
    const session = new ReviewSession(parts, step);
    opening(session);
    const { hunks } = step.proposal;
    if (!(await session.#apply(step, 'first'))) return null;
    const editor = await editorOf(parts.document);
    const first = hunks[0]?.ghosts.start ?? step.proposal.region.start;
    // The selection's own colour would lie over the marks.
    editor.selection = new Selection(first, 0, first, 0);
    editor.revealRange(rangeOf(parts.document, step.proposal));
    return session;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** While it is open. */
  get proposal(): Proposal {
    return this.#proposal;
  }

  /** Takes or refuses hunks; `comment`: why. What was decided in the meantime stays. False: the document refused. */
  async decide(indices: readonly number[], decision: Decision, comment: string | null): Promise<boolean> {
    const open = undecided(this.#proposal).filter((index) => indices.includes(index));
    if (!this.isOpen || this.#own !== null || open.length === 0) return true;
    const before = this.#proposal;
    const step = decide(before, open, decision, this.#lineAt);
    const last = undecided(step.proposal).length === 0;
    if (!(await this.#apply(step, last ? 'last' : 'middle'))) return false;
    for (const [order, index] of open.entries())
      this.#decided(before, index, decision, order === 0 ? comment : null);
    if (last) this.#end();
    return true;
  }

  /** Puts the cursor over what the agent wrote, to be written otherwise. */
  async focus(index: number): Promise<void> {
    const fresh = this.#proposal.hunks[index]?.fresh;
    if (fresh === undefined) return;
    const editor = await editorOf(this.document);
    await window.showTextDocument(this.document, editor.viewColumn);
    const end = this.document.lineAt(Math.max(fresh.start, fresh.end - 1)).range.end;
    editor.selection = new Selection(end, end);
    editor.revealRange(new Range(fresh.start, 0, end.line, end.character));
  }

  /** The document has changed, by us or by somebody else. */
  onChange({ contentChanges, reason }: TextDocumentChangeEvent): void {
    if (contentChanges.length === 0) return;
    const changes = contentChanges.map(
      ({ range, text }): TextChange => ({ start: range.start, end: range.end, text }),
    );
    if (reason !== undefined) {
      this.#wentThrough(reason, changes);
      return;
    }
    this.#walk.cameTo(null);
    if (this.#own !== null && sameChanges(this.#own.changes, changes)) {
      this.#proposal = this.#own.proposal;
      this.#own = null;
    } else if (this.isOpen) this.#follow(changes);
    if (!this.isOpen) return;
    this.#history.passed(this.document.getText(), this.#proposal);
    this.draw();
  }

  /** Ends without a word on the whole: the document was closed, or its lines are gone. */
  abandon(): void {
    if (!this.isOpen) return;
    this.#state = 'ended';
    if (undecided(this.#proposal).length === this.#proposal.hunks.length)
      this.#report({ kind: 'proposal_closed', reason: 'cleared' });
    this.draw();
    this.#parts.ended('left', null);
  }

  draw(): void {
    const { marks, changed } = this.#parts;
    for (const editor of window.visibleTextEditors) {
      if (editor.document !== this.document) continue;
      if (this.isOpen) marks.draw(editor, this.#proposal);
      else marks.clear(editor);
    }
    changed();
  }

  readonly #lineAt = (line: number): string => this.document.lineAt(line).text;

  #follow(changes: readonly TextChange[]): void {
    const followed = follow(this.#proposal, changes);
    if (followed === null) this.abandon();
    else this.#proposal = followed;
  }

  /** Undo or redo. They are not to stop in the middle of a review that has ended. */
  #wentThrough(reason: TextDocumentChangeReason, changes: readonly TextChange[]): void {
    const came = this.#history.cameTo(this.document.getText());
    const undoing =
      came.kind === 'between' && (reason === TextDocumentChangeReason.Undo) === (came.goes === 'on');
    this.#walk.cameTo(came.kind !== 'between' ? null : undoing ? 'undo' : 'redo');
    switch (came.kind) {
      case 'back':
        this.#proposal = came.proposal;
        break;
      case 'withdrawn':
        this.#state = 'ended';
        this.#report(UNDONE);
        this.#parts.ended('rejected', null);
        break;
      case 'undone':
        this.#report(UNDONE);
        break;
      case 'redone':
        if (this.#said !== null) this.#report(this.#said);
        break;
      case 'elsewhere':
        if (this.isOpen) this.#follow(changes);
    }
    this.draw();
  }

  #decided(before: Proposal, index: number, decision: Decision, comment: string | null): void {
    const hunk = this.#proposal.hunks[index];
    if (hunk === undefined) return;
    const lines = decision === 'accepted' ? linesOf(hunk.fresh, this.#lineAt) : [];
    const what = decision === 'accepted' ? hunkOutcome(hunk, lines) : decision;
    this.#report({
      kind: 'patch_review',
      hunk: { index, count: before.hunks.length },
      decision: what,
      comment,
      text: what === 'edited' ? this.#parts.asAnswer(lines, 'hunk') : null,
    });
    if (decision !== 'accepted' || lines.every((line) => line.trim() === '')) return;
    const { document } = this;
    const { start, end } = hunk.fresh;
    this.#parts.accepted(index, hunk.added.join('\n'), {
      start: document.offsetAt(new Position(start, 0)),
      end: document.offsetAt(document.lineAt(end - 1).range.end),
    });
  }

  #end(): void {
    this.#state = 'ended';
    const lines = linesOf(this.#proposal.region, this.#lineAt);
    const decision = outcome(this.#proposal, lines);
    const text = decision === 'edited' ? this.#parts.asAnswer(lines, 'whole') : null;
    this.#history.ended(this.document.getText());
    this.#said = { kind: 'patch_review', hunk: null, decision, comment: null, text };
    this.#report(this.#said);
    this.draw();
    this.#parts.ended(decision, lines);
  }

  #report(reviewed: Reviewed): void {
    this.#parts.report(reviewed);
  }

  /** All edits of a review are one step of undo, unless the user types in between (then review-history.ts joins them). */
  async #apply({ proposal, edits }: Step, which: 'first' | 'middle' | 'last'): Promise<boolean> {
    if (edits.length === 0) {
      this.#proposal = proposal;
      this.draw();
      return true;
    }
    const editor = await editorOf(this.document);
    const changes = edits.map((edit) => this.#change(edit));
    this.#own = { changes, proposal };
    try {
      return await editor.edit(
        (builder) => {
          for (const { start, end, text } of changes)
            builder.replace(new Range(start.line, start.character, end.line, end.character), text);
        },
        { undoStopBefore: which === 'first', undoStopAfter: which === 'last' },
      );
    } finally {
      this.#own = null;
    }
  }

  #change(edit: LineEdit): TextChange {
    const { document } = this;
    return textChange(edit, {
      lineCount: document.lineCount,
      lengthOf: (line) => document.lineAt(line).text.length,
    });
  }
}

/** The user took the whole of it back. */
const UNDONE: Reviewed = {
  kind: 'patch_review',
  hunk: null,
  decision: 'rejected',
  comment: null,
  text: null,
};

async function editorOf(document: TextDocument): Promise<TextEditor> {
  const visible = window.visibleTextEditors.find((editor) => editor.document === document);
  return visible ?? window.showTextDocument(document, { preserveFocus: true });
}

function rangeOf(document: TextDocument, { region }: Proposal): Range {
  return document.validateRange(new Range(region.start, 0, region.end, 0));
}

/** The same places, whatever line ends the document gave the texts. */
function sameChanges(ours: readonly TextChange[], told: readonly TextChange[]): boolean {
  const places = (changes: readonly TextChange[]): string =>
    changes
      .map(({ start, end }) => `${start.line}:${start.character}-${end.line}:${end.character}`)
      .toSorted()
      .join();
  return ours.length === told.length && places(ours) === places(told);
}
