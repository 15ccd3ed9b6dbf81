/** The form of every deterministic reading, and who outranks whom. */

/** `score` null: it says nothing about how good the action was. */
export interface Reading {
  source: 'commit' | 'thumb';
  score: 1 | -1 | null;
  /** Higher wins. */
  rank: number;
  /** One sentence for the panel. */
  detail: string;
  /** What the user wrote instead of the proposal; null when they took it, or their words are not known. */
  rewrite: string | null;
}

/** Explicit feedback outranks what is inferred from what the user did. */
export const RANK = { thumb: 200, commit: 100 } as const;
