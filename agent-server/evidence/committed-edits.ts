/**
 * What the user made of an answer's edits before committing them, read edit by edit. The answer is worded anew only
 * where that is what it should have been: when its edits are blocks in its text, what became of each is known, and none
 * was thrown away. Elsewhere the score stays, with a hint in words.
 */

import type { ProposedEdit } from '../protocol/edits.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';
import type { UserEditObservation } from '../protocol/observations.ts';
import { changedLines } from './edit-arguments.ts';
import { withOtherLines } from './edit-blocks.ts';
import { sameTokens } from './plain-tokens.ts';
import { MAX_WORDS_CHARS, oneLine } from './words.ts';

export interface CommittedEdits {
  /** All of the answer's edits were committed as they were, but for formatting. */
  readonly isKept: boolean;
  /** The answer as it should have been; null: nobody knows that. */
  readonly rewrite: string | null;
  /** What was changed first; null: nothing was. */
  readonly words: string | null;
}

/** `edits`: those of the answer, in their order. `proposal`: its text as it was generated. */
export function readCommittedEdits(
  told: UserEditObservation['edits'],
  edits: readonly ProposedEdit[],
  answer: AnswerMessage | null,
  proposal: string,
): CommittedEdits {
  const known = told.flatMap(({ edit: index, text }) => {
    const edit = edits[index];
    return edit === undefined ? [] : [{ index, edit, text: asProposed(edit, text) ? null : text }];
  });
  const gone = known.filter(({ edit, text }) => text !== null && isUndone(edit, text));
  const changed = known.filter(({ edit, text }) => text !== null && !isUndone(edit, text));
  const isWhole = edits.length > 0 && known.length === edits.length && gone.length === 0;
  const lines = edits.map((_, at) => known.find(({ index }) => index === at)?.text ?? null);
  const words = changed.flatMap(({ edit, text }) => changeWords(edit, text ?? ''));
  return {
    isKept: isWhole && changed.length === 0,
    rewrite:
      isWhole && changed.length > 0 && isPlainText(answer, proposal) ? withOtherLines(proposal, lines) : null,
    words: words[0] ?? null,
  };
}

function asProposed({ after }: ProposedEdit, text: string | null): boolean {
  return text === null || sameTokens(text, after);
}

function isUndone({ before }: ProposedEdit, text: string): boolean {
  return text.trim() === '' || (before !== null && sameTokens(text, before));
}

/** Reasoning and tool calls are no text: what stands for them in the tokens cannot be written. */
function isPlainText(answer: AnswerMessage | null, proposal: string): boolean {
  return (
    answer !== null &&
    answer.toolCalls.length === 0 &&
    answer.reasoning === '' &&
    answer.content.trim() === proposal.trim()
  );
}

/** In the words of a review: the first line that became another one. */
function changeWords({ path, after }: ProposedEdit, text: string): string[] {
  const { removed, added } = changedLines({ before: after, after: text });
  const [was, is] = [removed.find(says), added.find(says)];
  if (was === undefined) return [];
  const half = Math.floor((MAX_WORDS_CHARS - 60) / 2);
  const file = oneLine(path.split(/[/\\]/).at(-1) ?? '', 40);
  const instead = `instead of "${oneLine(was, half)}"`;
  return is === undefined
    ? [oneLine(`In ${file}, leave out "${oneLine(was, half)}".`, MAX_WORDS_CHARS)]
    : [oneLine(`In ${file}, write "${oneLine(is, half)}" ${instead}.`, MAX_WORDS_CHARS)];
}

function says(line: string): boolean {
  return line.trim() !== '';
}
