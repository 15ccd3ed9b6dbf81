/**
 * Tells by the editor's events who changed a document, and which turns' edits the user threw away with it: undone and
 * saved, reverted to the file, closed without saving, deleted. Pure.
 */
import { type FollowedHunks, GONE } from './followed-hunks.ts';
import type { ChangedBy } from './hunk-tracker.ts';

/** `revert`: what was not saved is given up for what the file says. */
export type DocumentChange = ChangedBy | 'revert';

export class ThrownAway {
  readonly #hunks: FollowedHunks;
  /** Documents that say something else than their file. */
  readonly #dirty = new Set<string>();
  readonly #undone = new Set<string>();
  readonly #told = new Set<string>();

  constructor(hunks: FollowedHunks) {
    this.#hunks = hunks;
  }

  /** Who made this change? `isDirty`: the document differs from its file after it. `step`: by undo or redo. */
  changed(document: string, isDirty: boolean, step: 'undo' | 'redo' | null): DocumentChange {
    const wasDirty = this.#dirty.has(document);
    if (isDirty) this.#dirty.add(document);
    else this.#dirty.delete(document);
    if (step === 'undo') this.#undone.add(document);
    if (isDirty || step !== null) return 'editor';
    // An editor never reads a file again over what was not saved.
    return wasDirty ? 'revert' : 'disk';
  }

  /** Turns whose edits are gone from a document that was saved after an undo. */
  saved(document: string): string[] {
    this.#dirty.delete(document);
    return this.#undone.delete(document) ? this.gone(document) : [];
  }

  /** Was there text that is lost with it? */
  closed(document: string): boolean {
    this.#undone.delete(document);
    return this.#dirty.delete(document);
  }

  /** Turns that have something in this document and nothing left of all that they did, each told once. */
  gone(document: string): string[] {
    const here = this.#hunks.in((one) => one === document);
    // What was accepted in a review is the review's to take back.
    const open = here.filter(({ hunk, state }) => state.kind === 'open' && hunk.edit !== null);
    const turns = new Set(open.map(({ hunk }) => hunk.turnId));
    return [...turns].filter((turnId) => {
      const ofTurn = this.#hunks.in(() => true).filter(({ hunk }) => hunk.turnId === turnId);
      if (ofTurn.some(({ share }) => share >= GONE)) {
        this.#told.delete(turnId);
        return false;
      }
      const isNew = !this.#told.has(turnId);
      this.#told.add(turnId);
      return isNew;
    });
  }
}
