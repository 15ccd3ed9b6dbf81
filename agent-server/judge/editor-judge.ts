/** The language model that a connected editor offers as a judge. How it is asked over the socket is lsp/'s. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { Judge, JudgeAnswer, JudgePrompt } from './judge.ts';

export type AskEditor = (prompt: JudgePrompt, signal: AbortSignal) => Promise<JudgeAnswer>;

export class EditorJudge implements Judge {
  readonly name = 'vscode';
  readonly #offers = new Set<AskEditor>();
  #wasOffered = false;

  /** True once an editor has offered: between two windows its turns wait, as for any judge that is away. */
  get present(): boolean {
    return this.#wasOffered;
  }

  /** An editor answers from now on. Returns the disposer. */
  offer(ask: AskEditor): () => void {
    this.#wasOffered = true;
    this.#offers.add(ask);
    return () => this.#offers.delete(ask);
  }

  /** Asks the editor that offered last: the window that was opened last is the likeliest to stay. */
  async ask(prompt: JudgePrompt, signal: AbortSignal): Promise<JudgeAnswer> {
    const last = [...this.#offers].at(-1);
    if (last !== undefined) return last(prompt, signal);
    throw new ApprenticeError(
      'judge_unavailable',
      'No editor is connected that offers its language model as a judge.',
      'Open a window whose setting apprentice.judge is vscode.',
    );
  }
}
