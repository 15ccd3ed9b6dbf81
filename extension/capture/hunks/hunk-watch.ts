/**
 * When is looked at what became of an agent's edits, and what is then said of a turn: 30 s and 5 min after its last
 * edit arrived, and when a document of it is committed, which is the last look. Pure but for its clock's ticks, which
 * are the caller's.
 */
import type { HunkTracker } from './hunk-tracker.ts';

export interface Look {
  readonly turnId: string;
  readonly moment: '30s' | '5min' | 'commit';
  /** Share of the turn's lines that are still there, 0 to 1. */
  readonly survival: number;
}

const MOMENTS = [
  { moment: '30s', afterMs: 30_000 },
  { moment: '5min', afterMs: 5 * 60_000 },
] as const;

interface Watched {
  readonly hunks: Set<string>;
  arrivedMs: number;
  /** How many of MOMENTS are past. */
  looked: number;
}

export class HunkWatch {
  readonly #tracker: HunkTracker;
  readonly #textOf: (document: string) => string | null;
  readonly #turns = new Map<string, Watched>();

  /** `textOf`: what a document says now; null when it is gone. */
  constructor(tracker: HunkTracker, textOf: (document: string) => string | null) {
    this.#tracker = tracker;
    this.#textOf = textOf;
  }

  /** An edit arrived: the turn's looks are counted from the last one. */
  arrived(turnId: string, hunkId: string, nowMs: number): void {
    const watched = this.#turns.get(turnId) ?? { hunks: new Set(), arrivedMs: nowMs, looked: 0 };
    watched.hunks.add(hunkId);
    watched.arrivedMs = nowMs;
    watched.looked = 0;
    this.#turns.set(turnId, watched);
  }

  /** When the next look is due; undefined: none is. */
  nextDueMs(): number | undefined {
    const dues = [...this.#turns.values()].flatMap(({ arrivedMs, looked }) => {
      const next = MOMENTS[looked];
      return next ? [arrivedMs + next.afterMs] : [];
    });
    return dues.length > 0 ? Math.min(...dues) : undefined;
  }

  /** The looks that are due. One that was slept over is not made up for when a later one is due as well. */
  due(nowMs: number): Look[] {
    return [...this.#turns].flatMap(([turnId, watched]): Look[] => {
      const past = MOMENTS.filter(({ afterMs }) => watched.arrivedMs + afterMs <= nowMs);
      const last = past.at(-1);
      if (last === undefined || past.length <= watched.looked) return [];
      watched.looked = past.length;
      return [{ turnId, moment: last.moment, survival: this.#survival(watched) }];
    });
  }

  /** These documents were committed as they are: the last look at every turn that is in one of them. */
  committed(documents: ReadonlySet<string>): Look[] {
    return [...this.#turns].flatMap(([turnId, watched]): Look[] => {
      const places = [...watched.hunks].map((id) => this.#tracker.look(id, this.#textOf));
      if (!places.some((found) => found.state === 'here' && documents.has(found.document))) return [];
      const survival = this.#survival(watched);
      this.forget(turnId);
      return [{ turnId, moment: 'commit', survival }];
    });
  }

  forget(turnId: string): void {
    for (const id of this.#turns.get(turnId)?.hunks ?? []) this.#tracker.remove(id);
    this.#turns.delete(turnId);
  }

  /** This hunk is not followed any more; a turn without one is not looked at. */
  removed(hunkId: string): void {
    for (const [turnId, { hunks }] of this.#turns) {
      hunks.delete(hunkId);
      if (hunks.size === 0) this.#turns.delete(turnId);
    }
  }

  /** Of all lines that the turn put anywhere. */
  #survival({ hunks }: Watched): number {
    let lines = 0;
    let left = 0;
    for (const hunk of this.#tracker.hunks()) {
      if (!hunks.has(hunk.id)) continue;
      const weight = hunk.proposed.split('\n').length;
      lines += weight;
      left += weight * this.#tracker.survival(hunk.id, this.#textOf);
    }
    return lines === 0 ? 0 : left / lines;
  }
}
