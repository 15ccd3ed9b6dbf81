/** One edit that is asked for: its lines, followed until the answer is there. What becomes of the answer is inline-edits.ts's. */
import { randomUUID } from 'node:crypto';
import { l10n, ProgressLocation, type TextDocument, type TextEditor, window } from 'vscode';
import type { EditProposal, SelectedCode } from '../../agent-server/protocol/editor.ts';
import { followAll, type LineRange, type TextChange } from './line-range.ts';
import { linesOf } from './proposal.ts';
import { nameOf, selectedCode, selectedLines } from './selected-lines.ts';

/** Rejects with an ApprenticeError; `onText` gets each new piece of the answer. */
export type AskModel = (
  requestId: string,
  selection: SelectedCode,
  onText: (text: string) => void,
  signal: AbortSignal,
) => Promise<EditProposal>;

const MAX_INSTRUCTION_CHARS = 2_000;

export class AskedEdit {
  readonly document: TextDocument;
  readonly #abort = new AbortController();
  #region: LineRange | null;
  #code = '';
  #answer: string | null = null;

  constructor(editor: TextEditor) {
    this.document = editor.document;
    this.#region = selectedLines(editor);
  }

  get cancelled(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Where the lines are now; null: nothing is being written for them. */
  get writingAt(): LineRange | null {
    return this.#answer === null ? null : this.#region;
  }

  /** Lines of the answer that are there, without the fence around it. */
  get linesSoFar(): number {
    return Math.max(0, (this.#answer ?? '').trimEnd().split('\n').length - 1);
  }

  cancel(): void {
    this.#abort.abort();
  }

  follow(changes: readonly TextChange[]): void {
    this.#region = this.#region && followAll(this.#region, changes);
  }

  /** Asks the user what to do, then the model. `onProgress`: it begins, and each further line. Null: nothing was asked. */
  async run(
    { ask, scrub, loading }: { ask: AskModel; scrub(text: string): Promise<string>; loading(): boolean },
    onProgress: () => void,
  ): Promise<EditProposal | null> {
    const instruction = await this.#instruction();
    if (instruction === null || this.#region === null || this.document.isClosed) return null;
    const selection = await selectedCode(this.document, this.#region, instruction, scrub);
    if (this.cancelled) return null;
    if (selection === null) {
      void window.showWarningMessage(
        l10n.t(
          'Something in these lines looks like a password or a key. Apprentice sends no such thing to a model: select the lines around it.',
        ),
      );
      return null;
    }
    this.#code = selection.code;
    this.#answer = '';
    onProgress();
    const onText = (text: string): void => {
      const before = this.linesSoFar;
      this.#answer += text;
      if (this.linesSoFar !== before) onProgress();
    };
    return window.withProgress(
      {
        location: ProgressLocation.Notification,
        title: l10n.t('Apprentice edits {0}', nameOf(this.document)),
        cancellable: true,
      },
      (progress, token) => {
        token.onCancellationRequested(() => this.cancel());
        if (loading()) progress.report({ message: l10n.t('the model is still loading') });
        return ask(randomUUID(), selection, onText, this.#abort.signal);
      },
    );
  }

  /** The lines that were asked about, if they still are what they were. */
  unchanged(): { first: number; lines: string[] } | null {
    if (this.#region === null || this.document.isClosed) return null;
    const lines = linesOf(this.#region, (line) => this.document.lineAt(line).text);
    return lines.join('\n') === this.#code ? { first: this.#region.start, lines } : null;
  }

  async #instruction(): Promise<string | null> {
    if (this.#region === null) return null;
    const { start, end } = this.#region;
    const name = nameOf(this.document);
    const answer = await window.showInputBox({
      title: l10n.t('Edit Selection'),
      prompt:
        end === start + 1
          ? l10n.t('What should change in line {0} of {1}?', end, name)
          : l10n.t('What should change in lines {0} to {1} of {2}?', start + 1, end, name),
      placeHolder: l10n.t('For example: handle an empty list'),
      ignoreFocusOut: true,
      validateInput: (text) =>
        text.length > MAX_INSTRUCTION_CHARS ? l10n.t('At most {0} characters.', MAX_INSTRUCTION_CHARS) : null,
    });
    return answer?.trim() || null;
  }
}
