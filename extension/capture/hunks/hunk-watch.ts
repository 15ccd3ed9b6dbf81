/**
 * When is looked at what became of an agent's edits: 30 s and 5 min after a turn's last one arrived, unless commits
 * have decided all of them. What git has set aside (a stash, another branch) is not looked at until it is back. Pure but
 * for its clock's ticks, which are the caller's. What git does is capture/git/'s to tell.
 */
import type { Hunk, HunkTracker } from './hunk-tracker.ts';

export interface Look {
  readonly turnId: string;
  readonly moment: '30s' | '5min';
  /** Share of the turn's lines that are still there, 0 to 1. */
  readonly survival: number;
}

const MOMENTS = [
  { moment: '30s', afterMs: 30_000 },
  { moment: '5min', afterMs: 5 * 60_000 },
] as const;

export type HunkState =
  | { readonly kind: 'open' }
  /** Not there, and not thrown away. */
  | {
      readonly kind: 'aside';
      readonly by: 'stash' | 'switch' | 'merge' | 'reset';
      /** Share of its lines from which on its document holds it again. */
      readonly share: number;
      /** Which stash, which switch. */
      readonly key: string;
      readonly was: HunkState;
    }
  | {
      readonly kind: 'committed';
      readonly sha: string;
      /** Share of its lines that the commit holds. */
      readonly share: number;
      /** Its lines as they were committed, '' when it is gone; null: as proposed. */
      readonly text: string | null;
      /** False: the work tree has other lines, which a later commit may take. */
      readonly settled: boolean;
    };

const OPEN: HunkState = { kind: 'open' };

interface Watched {
  readonly hunks: Map<string, HunkState>;
  arrivedMs: number;
  arrivals: number;
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
    const watched = this.#turns.get(turnId) ?? { hunks: new Map(), arrivedMs: nowMs, arrivals: 0, looked: 0 };
    watched.hunks.set(hunkId, OPEN);
    watched.arrivedMs = nowMs;
    watched.arrivals += 1;
    watched.looked = 0;
    this.#turns.set(turnId, watched);
  }

  /** When the next look is due; undefined: none is. */
  nextDueMs(): number | undefined {
    const dues = [...this.#turns.values()].flatMap((watched) => {
      const next = MOMENTS[watched.looked];
      return next && isLookedAt(watched) ? [watched.arrivedMs + next.afterMs] : [];
    });
    return dues.length > 0 ? Math.min(...dues) : undefined;
  }

  /** The looks that are due. One that was slept over is not made up for when a later one is due as well. */
  due(nowMs: number): Look[] {
    return [...this.#turns].flatMap(([turnId, watched]): Look[] => {
      const past = MOMENTS.filter(({ afterMs }) => watched.arrivedMs + afterMs <= nowMs);
      const last = past.at(-1);
      if (last === undefined || past.length <= watched.looked || !isLookedAt(watched)) return [];
      watched.looked = past.length;
      return [{ turnId, moment: last.moment, survival: this.survival(turnId) }];
    });
  }

  /** When the last edit of a turn arrived; undefined: it is not watched. */
  arrivedMs(turnId: string): number | undefined {
    return this.#turns.get(turnId)?.arrivedMs;
  }

  /** How many of a turn's edits have arrived: with a moment, what makes a look the same in every window. */
  arrivals(turnId: string): number {
    return this.#turns.get(turnId)?.arrivals ?? 0;
  }

  /** Undefined: it is not watched. */
  stateOf(turnId: string, hunkId: string): HunkState | undefined {
    return this.#turns.get(turnId)?.hunks.get(hunkId);
  }

  /** A commit took it, be it on the branch that is checked out or on one that was left. */
  isCommitted(turnId: string, hunkId: string): boolean {
    const state = this.stateOf(turnId, hunkId);
    return (state?.kind === 'aside' ? state.was : state)?.kind === 'committed';
  }

  set(turnId: string, hunkId: string, state: HunkState): void {
    const hunks = this.#turns.get(turnId)?.hunks;
    if (hunks?.has(hunkId)) hunks.set(hunkId, state);
  }

  forget(turnId: string): void {
    for (const id of this.#turns.get(turnId)?.hunks.keys() ?? []) this.#tracker.remove(id);
    this.#turns.delete(turnId);
  }

  /** This hunk is not followed any more; a turn without one is not looked at. */
  removed(hunkId: string): void {
    for (const [turnId, { hunks }] of this.#turns) {
      hunks.delete(hunkId);
      if (hunks.size === 0) this.#turns.delete(turnId);
    }
  }

  /** Of all lines that the turn put anywhere, the share that is there now. */
  survival(turnId: string): number {
    const hunks = this.#turns.get(turnId)?.hunks;
    let lines = 0;
    let left = 0;
    for (const hunk of this.#tracker.hunks()) {
      if (!hunks?.has(hunk.id)) continue;
      const weight = weightOf(hunk);
      lines += weight;
      left += weight * this.#tracker.survival(hunk.id, this.#textOf);
    }
    return lines === 0 ? 0 : left / lines;
  }
}

/** Something of it is neither committed nor set aside, and nothing is set aside: what is away may come back. */
function isLookedAt({ hunks }: Watched): boolean {
  const states = [...hunks.values()];
  return states.some(({ kind }) => kind === 'open') && states.every(({ kind }) => kind !== 'aside');
}

/** Its lines: a turn's shares are counted in them. */
export function weightOf({ proposed }: Hunk): number {
  return proposed.split('\n').length;
}
