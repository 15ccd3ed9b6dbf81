/** One side of a comparison of two texts, drawn. What differs is word-diff.ts's to find. */
import { css, html, nothing, type TemplateResult } from 'lit';
import type { DiffPart } from './word-diff.ts';

export const diffStyles = css`
  del { text-decoration: line-through; text-decoration-thickness: 1px; background: var(--vscode-diffEditor-removedTextBackground, #f003); }
  ins { text-decoration: none; background: var(--vscode-diffEditor-insertedTextBackground, #0a03); }
`;

/** `<del>` and `<ins>` say it to a screen reader too. */
export function diffSide(
  parts: readonly DiffPart[],
  kind: 'removed' | 'added',
): (TemplateResult | string | typeof nothing)[] {
  return parts.map((part) => {
    if (part.kind === 'same') return part.text;
    if (part.kind !== kind) return nothing;
    return kind === 'removed' ? html`<del>${part.text}</del>` : html`<ins>${part.text}</ins>`;
  });
}
