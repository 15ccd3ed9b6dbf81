/**
 * Whose work is it that a run tells of: the turn whose edits arrived last, before the run started, in the workspace
 * folder that it ran in. Pure; a clock's readings are arguments. Seeing edits and runs is left to the files beside it.
 */

/** Runs are to show what was just done: half an hour later they are about something else. */
export const ATTRIBUTION_MS = 30 * 60_000;
/** What changes this soon after an arrival belongs to it: other pieces of the edit, a formatter on save. */
const ARRIVING_MS = 2_000;
/** Turns remembered in a folder. */
const MAX_TURNS = 20;
/** Reported of one turn; a watcher that tests at every keystroke says nothing new. */
const MAX_REPORTS = 50;

export interface Attributed {
  readonly turnId: string;
  /** When the first of the turn's edits arrived: what ran before is its `before`. */
  readonly arrivedMs: number;
  /** The user has changed something since: it is no longer the turn's work alone. */
  readonly editedSince: boolean;
}

interface TurnAtWork {
  readonly turnId: string;
  readonly firstMs: number;
  lastMs: number;
  edited: boolean;
  reports: number;
  /** Paths; the protocol bounds the edits of a turn. */
  readonly documents: Set<string>;
}

export class Attribution {
  /** By folder; of each the turn whose edit arrived last stands at the end. */
  readonly #folders = new Map<string, TurnAtWork[]>();

  /** Has anything arrived that counts? */
  get isEmpty(): boolean {
    return this.#folders.size === 0;
  }

  /** An edit of the turn was seen in a document of the workspace folder. */
  arrived(turnId: string, folder: string, document: string, nowMs: number): void {
    const turns = this.#folders.get(folder) ?? [];
    const known = turns.find((turn) => turn.turnId === turnId);
    const fresh = { turnId, firstMs: nowMs, edited: false, reports: 0, documents: new Set<string>() };
    const turn = known ?? { ...fresh, lastMs: nowMs };
    turn.lastMs = nowMs;
    turn.documents.add(document);
    this.#folders.set(folder, [...turns.filter((one) => one !== turn), turn].slice(-MAX_TURNS));
  }

  /** A document of the folder changed, and no agent's edit was seen in the change. Constant work. */
  edited(folder: string, nowMs: number): void {
    const last = this.#folders.get(folder)?.at(-1);
    if (last !== undefined && nowMs > last.lastMs + ARRIVING_MS) last.edited = true;
  }

  /**
   * The turn that a run in this folder belongs to; undefined: none, and nothing of the run may be told. `unsaved`: the
   * documents that are not on the disk as the editor shows them; a run does not see the edits in them.
   */
  turnOf(folder: string, startedMs: number, unsaved: ReadonlySet<string>): Attributed | undefined {
    const turn = this.#folders
      .get(folder)
      ?.findLast(({ lastMs }) => lastMs <= startedMs && startedMs - lastMs <= ATTRIBUTION_MS);
    if (turn === undefined || [...turn.documents].some((one) => unsaved.has(one))) return undefined;
    return { turnId: turn.turnId, arrivedMs: turn.firstMs, editedSince: turn.edited };
  }

  /** May one more run be reported of this turn? Counts it. */
  takeReport(turnId: string): boolean {
    const turns = [...this.#folders.values()].flatMap((all) => all.filter((one) => one.turnId === turnId));
    if (turns.length === 0 || turns.some(({ reports }) => reports >= MAX_REPORTS)) return false;
    for (const turn of turns) turn.reports += 1;
    return true;
  }

  /** Learning is off: nothing that was seen before counts. */
  clear(): void {
    this.#folders.clear();
  }
}
