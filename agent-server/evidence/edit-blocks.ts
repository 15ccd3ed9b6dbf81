/**
 * Search-and-replace blocks in an answer's text, and what of a proposed edit differs. An answer all of whose edits are
 * such blocks can be worded anew with other lines in them: tool calls cannot, as their form is the model's template's.
 * Pure.
 */
import type { ProposedEdit } from '../protocol/edits.ts';
import { changedLines } from './edit-arguments.ts';

const MAX_TEXT_CHARS = 65_536;

const SEARCH = /^(?:<{5,9}|-{5,9}) ?SEARCH>?\s*$/;
const DIVIDER = /^={5,9}\s*$/;
const REPLACE = /^(?:>{5,9}|\+{5,9}) ?REPLACE\s*$/;
const MARKS: readonly RegExp[] = [SEARCH, DIVIDER, REPLACE];
const FENCE = /^(?:```|~~~)/;

export interface EditBlock extends ProposedEdit {
  /** Where the lines that come stand in the answer: [start, end), from 0. */
  readonly at: { readonly start: number; readonly end: number };
}

/** The blocks of an answer; the file is `path`, or named on the last line before that is not a fence. */
export function blocksOf(answer: string, path: string | null): EditBlock[] {
  const blocks: EditBlock[] = [];
  let part: 'outside' | 'search' | 'replace' = 'outside';
  let named = '';
  let before: string[] = [];
  let after: string[] = [];
  for (const [at, line] of answer.split('\n').entries()) {
    if (part === 'outside' && SEARCH.test(line)) {
      part = 'search';
      before = [];
      after = [];
    } else if (part === 'search' && DIVIDER.test(line)) part = 'replace';
    else if (part === 'replace' && REPLACE.test(line)) {
      const file = path ?? named;
      const place = { start: at - after.length, end: at };
      if (file !== '')
        blocks.push({ path: file, before: before.join('\n'), after: after.join('\n'), at: place });
      part = 'outside';
    } else if (part === 'search') before.push(line);
    else if (part === 'replace') after.push(line);
    else if (line.trim() !== '' && !FENCE.test(line)) named = line.replaceAll(/[*`#:]/g, '').trim();
  }
  return blocks;
}

/** Only the lines of an edit that differ; null: none does, or it is too large to be told. */
export function editOf({ path, before, after }: ProposedEdit): ProposedEdit | null {
  if ((before?.length ?? 0) > MAX_TEXT_CHARS || after.length > MAX_TEXT_CHARS) return null;
  if (before === null) return after === '' ? null : { path, before, after };
  const { removed, added } = changedLines({ before, after });
  if (removed.length === 0 && added.length === 0) return null;
  return { path, before: removed.join('\n'), after: added.join('\n') };
}

/**
 * The answer with other lines in its blocks, all else as it was. `lines`: for each of its edits (as `editOf` tells
 * them, in their order) the lines that should have come, LF between them; null: those that did. Null: its edits are
 * not these, or the lines cannot stand in a block.
 */
export function withOtherLines(answer: string, lines: readonly (string | null)[]): string | null {
  const blocks = blocksOf(answer, null).flatMap((block) => {
    const edit = editOf(block);
    return edit === null ? [] : [{ block, edit }];
  });
  if (blocks.length !== lines.length) return null;
  const all = answer.split('\n');
  for (const [index, { block, edit }] of [...blocks.entries()].reverse()) {
    const text = lines[index] ?? null;
    if (text === null) continue;
    // A block in a block would be read as two.
    if (text.split('\n').some((line) => MARKS.some((mark) => mark.test(line)))) return null;
    // Lines around the change that both sides of a block have stay.
    const head = commonHead(linesOf(block.before ?? ''), linesOf(block.after));
    all.splice(block.at.start + head, edit.after.split('\n').length, ...text.split('\n'));
  }
  return all.join('\n');
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

function commonHead(one: readonly string[], other: readonly string[]): number {
  const differs = one.findIndex((line, at) => line !== other[at]);
  return differs < 0 ? one.length : differs;
}
