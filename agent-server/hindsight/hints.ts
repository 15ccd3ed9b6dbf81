/** Hints: how an answer should have been. */
import type { Hint } from '../store/types.ts';

/** What the user wrote instead is the hint itself. Null when they wrote nothing. */
export function rewriteHint(rewrite: string): Hint | null {
  return rewrite.trim() === '' ? null : { kind: 'rewrite', text: rewrite };
}
