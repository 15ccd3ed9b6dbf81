/**
 * Edits that agents said they make, until they are seen in a document: only what is seen to arrive is followed, and a
 * document that no agent named is never read. Pure; what follows then is hunk-tracker.ts.
 */
import type { ProposedEdit } from '../../../agent-server/protocol/edits.ts';
import { locate } from './locate.ts';
import { type Change, changedSpans, type Span } from './span.ts';

/** An agent applies its edits within seconds, or after its user said yes. */
const LIFETIME_MS = 10 * 60_000;
const MAX_EXPECTED = 500;

export interface Arrived {
  readonly turnId: string;
  /** Which of the turn's edits. */
  readonly index: number;
  readonly edit: ProposedEdit;
  readonly span: Span;
}

interface Expected {
  readonly turnId: string;
  readonly index: number;
  readonly edit: ProposedEdit;
  readonly untilMs: number;
}

export class ExpectedEdits {
  #expected: Expected[] = [];

  /**
   * The oldest are given up when there are too many. A deletion leaves nothing to follow; of a notebook's file an editor
   * shows cells, which it writes in a form of its own.
   */
  expect(turnId: string, edits: readonly ProposedEdit[], nowMs: number): void {
    const untilMs = nowMs + LIFETIME_MS;
    for (const [index, edit] of edits.entries())
      if (edit.after.trim() !== '' && !/\.ipynb\s*$/i.test(edit.path))
        this.#expected.push({ turnId, index, edit, untilMs });
    this.#expected = this.#expected.slice(-MAX_EXPECTED);
  }

  /** Could an expected edit be in this document? Nothing of it is read to tell. `document`: its path. */
  concern(document: string, nowMs: number): boolean {
    return this.#expected.some(({ edit, untilMs }) => untilMs >= nowMs && isNamed(edit.path, document));
  }

  /**
   * The edits that a change brought into a document; they are expected no more. `changes` null: it is not known what
   * changed (a file on the disk). What stood there before the change did not arrive with it.
   */
  arrived(document: string, changes: readonly Change[] | null, text: string, nowMs: number): Arrived[] {
    const came = changes && changedSpans(changes);
    const found: Arrived[] = [];
    this.#expected = this.#expected.filter((one) => {
      if (one.untilMs < nowMs) return false;
      if (!isNamed(one.edit.path, document)) return true;
      const span = placeOf(one.edit, text, came);
      if (span === null) return true;
      found.push({ turnId: one.turnId, index: one.index, edit: one.edit, span });
      return false;
    });
    return found;
  }
}

/** Agents name files from the folder that they work in, or whole; what is compared is the end that both have. */
function isNamed(named: string, document: string): boolean {
  const [ours, theirs] = [segments(named), segments(document)];
  const shared =
    ours.length <= theirs.length &&
    ours.every((part, at) => part === theirs[theirs.length - ours.length + at]);
  return ours.length > 0 && shared;
}

function segments(path: string): string[] {
  return path.split(/[/\\]/).filter((part) => part !== '' && part !== '.');
}

/** Each place where the text stands as it is, and the first of them that came; else where most of its lines came. */
function placeOf(edit: ProposedEdit, text: string, came: readonly Span[] | null): Span | null {
  const { after } = edit;
  if (came === null && isStillToCome(edit, text)) return null;
  const wanted = after.replace(/\n$/, '');
  const inForm = text.includes('\r\n') ? wanted.replaceAll('\n', '\r\n') : wanted;
  for (let start = text.indexOf(inForm); start >= 0; start = text.indexOf(inForm, start + 1)) {
    const span = { start, end: start + inForm.length };
    if (cameWith(span, came)) return span;
  }
  const span = locate(wanted, text);
  return span !== null && cameWith(span, came) ? span : null;
}

/** What is to be replaced is still there: the same text elsewhere is not the agent's. */
function isStillToCome({ before, after }: ProposedEdit, text: string): boolean {
  const replaced = before?.trim() ?? '';
  return replaced !== '' && !after.includes(replaced) && text.includes(replaced);
}

function cameWith(span: Span, came: readonly Span[] | null): boolean {
  return came === null || came.some(({ start, end }) => start < span.end && end > span.start);
}
