/**
 * What a commit took of an agent's hunk, told by the committed text and not by the work tree: with `git add -p` a commit
 * takes some hunks of a file and leaves others. Pure; texts are the caller's to read.
 */
import { plainLines, survival } from '../hunks/locate.ts';
import type { Span } from '../hunks/span.ts';

/** `pending`: the commit does not hold the hunk as it stands in the work tree, which still has it. */
export type Taken =
  | {
      readonly kind: 'taken';
      /** Share of the agent's lines that were committed, 0 to 1. */
      readonly share: number;
      /** The hunk's lines as they were committed, LF between them; null: no line of the agent's is missing in them. */
      readonly text: string | null;
    }
  | { readonly kind: 'pending' };

/**
 * `proposed` stands, or what became of it stands, at `span` of `worktree`. Committed is what `committed` holds as often
 * as the work tree does, whole lines compared but for formatting: of two equal places nobody can tell which one was
 * left out.
 */
export function takenOf(proposed: string, worktree: string, span: Span, committed: string): Taken {
  const piece = wholeLines(worktree, span);
  const lines = plainLines(piece);
  const [ours, theirs] = [plainLines(worktree), plainLines(committed)];
  const times = occurrences(lines, theirs);
  if (times === 0 || times < occurrences(lines, ours)) return { kind: 'pending' };
  const share = survival(proposed, piece);
  return { kind: 'taken', share, text: share < 1 ? piece.replaceAll('\r\n', '\n') : null };
}

/** The span with the rest of its first and last line, without the last line's end. */
function wholeLines(text: string, { start, end }: Span): string {
  const from = start === 0 ? 0 : text.lastIndexOf('\n', start - 1) + 1;
  // A span that ends with a line break ends with that line.
  const last = end > from && text[end - 1] === '\n' ? end - 1 : end;
  const to = text.indexOf('\n', last);
  return text.slice(from, to < 0 ? undefined : to).replace(/\r$/, '');
}

/** How often `wanted` stands in `lines`, in one piece. */
function occurrences(wanted: readonly string[], lines: readonly string[]): number {
  if (wanted.length === 0) return 0;
  let count = 0;
  for (let at = 0; at + wanted.length <= lines.length; at++)
    if (wanted.every((line, offset) => lines[at + offset] === line)) count++;
  return count;
}
