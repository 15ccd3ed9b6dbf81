/**
 * Pages of turns as a list that is scrolled: which rows are known, which page is wanted next, and which are let go of.
 * Pure; asking is turn-list.ts's. A page is found by where the one above it ended, so one whose end has moved (turns
 * were added or deleted) takes those below it along.
 */
import type { PanelTurn } from '../../agent-server/protocol/panel.ts';
import type { TurnPage } from '../../agent-server/protocol/turns.ts';

/** Pages whose rows are held: some 2 MB. Of others only the place in the list is known. */
const MAX_HELD = 40;
/** Rows below the window that are asked for ahead. */
const AHEAD = 20;

interface Page {
  readonly before: number | null;
  next: number | null;
  count: number;
  searched: number;
  /** Null: let go of. */
  turns: readonly PanelTurn[] | null;
  stale: boolean;
}

export interface Wanted {
  page: number;
  before: number | null;
}

export class TurnPages {
  #pages: Page[] = [];
  #total = 0;

  /** Turns in the store, whatever is looked for. */
  get total(): number {
    return this.#total;
  }

  /** Rows that have a place. */
  get count(): number {
    return this.#pages.reduce((sum, { count }) => sum + count, 0);
  }

  get searched(): number {
    return this.#pages.reduce((sum, { searched }) => sum + searched, 0);
  }

  /** The list is known to its end. */
  get ended(): boolean {
    return this.#pages.at(-1)?.next === null;
  }

  get empty(): boolean {
    return this.#pages.length === 0;
  }

  /** Undefined where the row's page was let go of. */
  row(index: number): PanelTurn | undefined {
    let begin = 0;
    for (const { count, turns } of this.#pages) {
      if (index < begin + count) return turns?.[index - begin];
      begin += count;
    }
    return undefined;
  }

  /** Something was changed in the store: what is in sight is asked for again, the rest when it comes into sight. */
  changed(): void {
    for (const page of this.#pages) page.stale = true;
  }

  /** The page to ask for while the rows from `first` to before `last` are in sight; undefined: nothing is missing. */
  wanted(first: number, last: number): Wanted | undefined {
    let begin = 0;
    for (const [page, { before, count, turns, stale }] of this.#pages.entries()) {
      const inSight = begin < last && begin + Math.max(count, 1) > first;
      if (inSight && (turns === null || stale)) return { page, before };
      begin += count;
    }
    if (this.ended || last + AHEAD <= begin) return undefined;
    return { page: this.#pages.length, before: this.#pages.at(-1)?.next ?? null };
  }

  /** Takes in the answer for a wanted page. One that is not a place of the list any more is dropped. */
  put({ page, before }: Wanted, { turns, next, searched, total }: TurnPage): void {
    const there = this.#pages[page];
    const above = this.#pages[page - 1]?.next ?? null;
    if (page > this.#pages.length || (page > 0 && above !== before)) return;
    this.#total = total;
    if (there !== undefined && there.next !== next) this.#pages.splice(page + 1);
    this.#pages[page] = { before, next, count: turns.length, searched, turns, stale: false };
  }

  /** Lets go of the rows of pages far from the ones in sight. */
  trim(first: number, last: number): void {
    const middle = (first + last) / 2;
    let begin = 0;
    const held = this.#pages.flatMap((page) => {
      const distance = Math.abs(begin + page.count / 2 - middle);
      begin += page.count;
      return page.turns === null ? [] : [{ page, distance }];
    });
    held.sort((a, b) => a.distance - b.distance);
    for (const { page } of held.slice(MAX_HELD)) page.turns = null;
  }
}
