/** The hunks that are followed, each with where it is, what is left of it and what is being said of it. Pure. */
import type { ChangedBy, Found, Hunk, HunkTracker } from './hunk-tracker.ts';
import type { HunkState, HunkWatch } from './hunk-watch.ts';
import type { Span } from './span.ts';

/** Below this share of its lines a hunk is not there any more (EVID-14). */
export const GONE = 0.5;

export interface Followed {
  readonly hunk: Hunk;
  /** The document that it is in, or was in last. */
  readonly document: string;
  readonly found: Found;
  /** Share of its lines that the document has now. */
  readonly share: number;
  /** Who changed its lines last; null: nobody did. */
  readonly touchedBy: ChangedBy | null;
  readonly state: HunkState;
}

export class FollowedHunks {
  readonly tracker: HunkTracker;
  readonly watch: HunkWatch;
  readonly textOf: (document: string) => string | null;

  readonly #catchUp: () => void;

  /** `textOf`: what a document says now; null when it is gone. `catchUp`: tells the tracker of files that are not open. */
  constructor(
    tracker: HunkTracker,
    watch: HunkWatch,
    textOf: (document: string) => string | null,
    catchUp: () => void,
  ) {
    this.tracker = tracker;
    this.watch = watch;
    this.textOf = textOf;
    this.#catchUp = catchUp;
  }

  /** Those of the documents that `concern` names. */
  in(concern: (document: string) => boolean): Followed[] {
    this.#catchUp();
    return this.tracker.hunks().flatMap((hunk): Followed[] => {
      const last = this.tracker.lastSeen(hunk.id);
      const state = this.watch.stateOf(hunk.turnId, hunk.id);
      if (last === undefined || state === undefined || !concern(last.document)) return [];
      const found = this.tracker.look(hunk.id, this.textOf);
      const { document, touchedBy } = last;
      return [
        { hunk, document, found, share: this.tracker.survival(hunk.id, this.textOf), touchedBy, state },
      ];
    });
  }

  /** What becomes of lines that a later turn wrote anew is that turn's, and no correction of an earlier one. */
  takenOver(document: string, span: Span, by: ReadonlySet<string>): void {
    for (const { id, turnId } of this.tracker.overlapping(document, span)) {
      if (by.has(turnId)) continue;
      this.tracker.remove(id);
      this.watch.removed(id);
    }
  }

  set({ hunk }: Followed, state: HunkState): void {
    this.watch.set(hunk.turnId, hunk.id, state);
  }
}

/** Not by the user's own hand in this editor: the file under the document has lost most of it. */
export function isTakenAway({ share, touchedBy }: Followed): boolean {
  return share < GONE && touchedBy === 'disk';
}
