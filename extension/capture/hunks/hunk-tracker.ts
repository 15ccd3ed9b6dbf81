/**
 * Follows what agents put into documents through everything that happens to it: typing, formatting, undo, moves within
 * and between files, renames, files that change on the disk. Pure: it is told of changes, and finds what went missing in
 * the text that came with them; it holds no text but the agents' own, as it was last seen. What is reported of it, and when, is
 * hunk-watch.ts.
 */
import { locate, survival } from './locate.ts';
import { type Change, changedSpans, follow, type Span } from './span.ts';

/** One piece of text that an agent's turn put into a document. */
export interface Hunk {
  readonly id: string;
  readonly turnId: string;
  /** Its place among the edits that the answer proposed; null: of a review, which has said what there is to say. */
  readonly edit: number | null;
  /** What it was when it was put there. */
  readonly proposed: string;
}

/** Where a hunk is and what it says. `gone`: nothing of it is left where it was; it may come back. */
export type Found =
  | { readonly state: 'here'; readonly document: string; readonly span: Span; readonly text: string }
  | { readonly state: 'gone' };

export interface Place {
  readonly document: string;
  readonly span: Span;
}

/** How a document changed: by the editor's own hand, or because the file under it did. */
export type ChangedBy = 'editor' | 'disk';

interface Tracked {
  readonly hunk: Hunk;
  /** Null: gone. */
  place: Place | null;
  /** Where it was, for the user's own text that takes its place. */
  document: string;
  /** What it last said, when somebody looked. */
  seen: string;
  /** Who changed its lines last; null: nobody did since it was put there. */
  touchedBy: ChangedBy | null;
}

/** Hunks followed at once; the oldest is let go for a new one. */
export const MAX_HUNKS = 200;

export class HunkTracker {
  readonly #tracked = new Map<string, Tracked>();

  /** Begins to follow a hunk; one of the same id is followed anew. Returns the hunk that was let go for it. */
  add(hunk: Hunk, place: Place): Hunk | undefined {
    this.#tracked.delete(hunk.id);
    this.#tracked.set(hunk.id, {
      hunk,
      place,
      document: place.document,
      seen: hunk.proposed,
      touchedBy: null,
    });
    const [oldest] = this.#tracked.keys();
    if (this.#tracked.size <= MAX_HUNKS || oldest === undefined) return undefined;
    const letGo = this.#tracked.get(oldest)?.hunk;
    this.#tracked.delete(oldest);
    return letGo;
  }

  remove(id: string): void {
    this.#tracked.delete(id);
  }

  /** Follows nothing of this document any more. Returns the hunks that were let go. */
  removeIn(document: string): string[] {
    const ids = [...this.#tracked].filter(([, tracked]) => tracked.document === document).map(([id]) => id);
    for (const id of ids) this.#tracked.delete(id);
    return ids;
  }

  hunks(): Hunk[] {
    return [...this.#tracked.values()].map(({ hunk }) => hunk);
  }

  /** Those of a document that are in it, as far as is known without reading it. */
  placesIn(document: string): { readonly hunk: Hunk; readonly span: Span }[] {
    return [...this.#tracked.values()].flatMap((tracked) =>
      tracked.place?.document === document && !isMissing(tracked)
        ? [{ hunk: tracked.hunk, span: tracked.place.span }]
        : [],
    );
  }

  /** Those in which something is followed. */
  documents(): string[] {
    return [...new Set([...this.#tracked.values()].map(({ document }) => document))];
  }

  /** Is anything of this document followed, or could something gone come back to it? */
  concerns(document: string): boolean {
    // Asked at every keystroke: nothing is copied.
    for (const tracked of this.#tracked.values())
      if (isMissing(tracked) || tracked.place?.document === document) return true;
    return false;
  }

  /**
   * The document changed: `changes` with the offsets of before, not overlapping, in any order. Constant work a hunk; of
   * one that is missing the text that came is searched, when it is long enough to hold it.
   */
  change(document: string, changes: readonly Change[], by: ChangedBy = 'editor'): void {
    // From the end of the document: then each one's offset is still right.
    const ordered = changes.toSorted((a, b) => b.offset - a.offset);
    for (const tracked of this.#tracked.values()) {
      if (tracked.place?.document !== document) continue;
      if (ordered.some((change) => isWithin(change, tracked.place?.span))) tracked.touchedBy = by;
      const span = ordered.reduce<Span | null>(
        (now, change) => now && follow(now, change),
        tracked.place.span,
      );
      tracked.place = span && { document, span };
    }
    const came = changedSpans(changes);
    for (const tracked of this.#tracked.values())
      for (const { start, text } of came)
        if (isMissing(tracked) && text.length >= tracked.seen.length / 2)
          this.#find(tracked, document, text, start, by);
  }

  /** The document is not what it was, in ways that nobody told of: read anew from the disk, or after a git command. */
  replaced(document: string, text: string, by: ChangedBy = 'disk'): void {
    for (const tracked of this.#tracked.values())
      if (isMissing(tracked) || tracked.place?.document === document)
        this.#find(tracked, document, text, 0, by);
  }

  /** A document will change without a word from now on: what its hunks say now is what they are found by. */
  leave(document: string, text: string): void {
    for (const { hunk, place } of this.#tracked.values())
      if (place?.document === document) this.look(hunk.id, () => text);
  }

  renamed(from: string, to: string): void {
    for (const tracked of this.#tracked.values()) {
      if (tracked.document === from) tracked.document = to;
      if (tracked.place?.document === from) tracked.place = { ...tracked.place, document: to };
    }
  }

  /** The document that it is in or was in last, and who changed its lines last; undefined: it is not followed. */
  lastSeen(id: string): { readonly document: string; readonly touchedBy: ChangedBy | null } | undefined {
    return this.#tracked.get(id);
  }

  /** The hunks that a span of a document is in or around. */
  overlapping(document: string, { start, end }: Span): Hunk[] {
    return this.placesIn(document)
      .filter(({ span }) => span.start < end && span.end > start)
      .map(({ hunk }) => hunk);
  }

  /** Where it is and what it says now. `textOf` gives the text of its document; null: there is none any more. */
  look(id: string, textOf: (document: string) => string | null): Found {
    const tracked = this.#tracked.get(id);
    if (tracked?.place == null) return { state: 'gone' };
    const text = textOf(tracked.place.document);
    if (text === null) return { state: 'gone' };
    const { document, span } = tracked.place;
    const now = text.slice(span.start, span.end);
    if (now.trim() === '' && tracked.hunk.proposed.trim() !== '') return { state: 'gone' };
    // A checkout may have put other lines in its place: it is found again by those that it had.
    if (tracked.touchedBy !== 'disk') tracked.seen = now;
    return { state: 'here', document, span, text: now };
  }

  /** Share of the hunk's lines that are still there, but for formatting; 0 when it is gone. */
  survival(id: string, textOf: (document: string) => string | null): number {
    const found = this.look(id, textOf);
    const tracked = this.#tracked.get(id);
    return found.state === 'gone' || tracked === undefined ? 0 : survival(tracked.hunk.proposed, found.text);
  }

  /** `text` begins at `offset` of the document. */
  #find(tracked: Tracked, document: string, text: string, offset: number, by: ChangedBy): void {
    const found = locate(tracked.seen, text) ?? locate(tracked.hunk.proposed, text);
    if (found !== null) {
      if (text.slice(found.start, found.end) !== tracked.seen) tracked.touchedBy = by;
      tracked.place = { document, span: { start: offset + found.start, end: offset + found.end } };
      tracked.document = document;
    } else if (tracked.place?.document === document && !isMissing(tracked)) {
      tracked.place = null;
      tracked.touchedBy = by;
    }
  }
}

function isWithin({ offset, removed }: Change, span: Span | undefined): boolean {
  return span !== undefined && offset < span.end && offset + removed > span.start;
}

/** Nothing is left where it was. */
function isMissing({ place }: Tracked): boolean {
  return place === null || place.span.start === place.span.end;
}
