/** Takes an undo or a redo on, step by step, until the document is at a text to stop at. Which texts those are is review-history.ts's. */
import { commands, type TextDocument, window } from 'vscode';
import { MAX_TEXTS } from './review-history.ts';

export class UndoWalk {
  readonly #document: TextDocument;
  #between = false;
  #walking = false;

  constructor(document: TextDocument) {
    this.#document = document;
  }

  /** Each change of the document says where it came to, those of the walk's own steps too; null: no place to go on from. */
  cameTo(on: 'undo' | 'redo' | null): void {
    this.#between = on !== null;
    if (on !== null && !this.#walking) void this.#walk(on);
  }

  async #walk(step: 'undo' | 'redo'): Promise<void> {
    this.#walking = true;
    try {
      for (let steps = 0; this.#between && steps < MAX_TEXTS; steps++) {
        // The command goes to the editor that is active by then.
        if (window.activeTextEditor?.document !== this.#document) return;
        const { version } = this.#document;
        // Its change is told of before it resolves.
        await commands.executeCommand(step);
        if (this.#document.version === version) return;
      }
    } finally {
      this.#walking = false;
    }
  }
}
