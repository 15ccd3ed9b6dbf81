/** The form of every deterministic reading, and who outranks whom. */

import type { NextStateKind } from '../protocol/observations.ts';

/** `score` null: it says nothing about how good the action was; a judge may be asked. */
export interface Reading {
  source: NextStateKind;
  score: 1 | 0 | -1 | null;
  /** Higher wins. */
  rank: number;
  /** One sentence for the panel. */
  detail: string;
  /** What the user wrote instead of the proposal; null when they took it, or their words are not known. */
  rewrite: string | null;
  /** What should have been otherwise, in one or two sentences: a failing assertion, a compiler's message, a review. */
  words: string | null;
}

/**
 * Explicit feedback outranks what the user did with the result, that outranks what programs say of it, and that
 * outranks a judge's votes, which are asked for only when nothing here gives a score.
 */
export const RANK = {
  thumb: 200,
  patch_review: 180,
  git: 150,
  commit: 100,
  user_edit: 100,
  test_run: 80,
  diagnostics: 70,
  task: 60,
  terminal: 60,
  tool_result: 50,
  user_reply: 20,
  screen: 20,
} as const satisfies Record<NextStateKind, number>;
