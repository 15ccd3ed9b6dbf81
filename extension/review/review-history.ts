/**
 * The texts that a document went through under a review, so that undo and redo do not stop between them: one undo takes an
 * accepted edit back, whatever was typed and decided on the way. Pure; only hashes of texts are kept.
 */
import { createHash } from 'node:crypto';
import type { Proposal } from './proposal.ts';

/** What an undo or a redo came to. */
export type Came =
  /** The review goes on as it was at that text. */
  | { readonly kind: 'back'; readonly proposal: Proposal }
  /** Under review before; now as before it. */
  | { readonly kind: 'withdrawn' }
  /** Reviewed before; now as before the review, or again as it left it. */
  | { readonly kind: 'undone' }
  | { readonly kind: 'redone' }
  /** In the middle of a review that has ended: no place to stop at. */
  | { readonly kind: 'between'; readonly goes: 'on' | 'back' }
  | { readonly kind: 'elsewhere' };

/** Keystrokes of one review that undo can go back to. */
export const MAX_TEXTS = 2_000;

export class ReviewHistory {
  readonly #before: string;
  readonly #texts = new Map<string, Proposal>();
  #ended: { readonly after: string; undone: boolean } | { readonly after: null } | null = null;

  /** `text`: the document before the proposal came into it. */
  constructor(text: string) {
    this.#before = hash(text);
  }

  /** The document under review, each time that it has changed. */
  passed(text: string, proposal: Proposal): void {
    if (this.#texts.size < MAX_TEXTS) this.#texts.set(hash(text), proposal);
  }

  /** Every hunk is decided. */
  ended(text: string): void {
    this.#ended = { after: hash(text), undone: false };
  }

  cameTo(text: string): Came {
    const now = hash(text);
    const proposal = this.#texts.get(now);
    const ended = this.#ended;
    if (ended === null) {
      if (now === this.#before) {
        this.#ended = { after: null };
        return { kind: 'withdrawn' };
      }
      return proposal === undefined ? { kind: 'elsewhere' } : { kind: 'back', proposal };
    }
    if (ended.after === null)
      // Redone after it was withdrawn: there is no end to go on to.
      return proposal === undefined || now === this.#before
        ? { kind: 'elsewhere' }
        : { kind: 'between', goes: 'back' };
    if (now === this.#before || now === ended.after) {
      const undone = now === this.#before && now !== ended.after;
      if (undone === ended.undone) return { kind: 'elsewhere' };
      ended.undone = undone;
      return { kind: undone ? 'undone' : 'redone' };
    }
    return proposal === undefined ? { kind: 'elsewhere' } : { kind: 'between', goes: 'on' };
  }
}

function hash(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}
