/**
 * The sequences of the one context: which request has which, and what finished ones left in the cache. A prefix is used
 * again where it lies, so a request gets the sequence in which it has least to compute and least is lost.
 */
import type { Adapter } from './request.ts';

export interface Slot {
  /** llama.cpp's number of the sequence. */
  readonly id: number;
  /** Tokens whose keys and values are there. */
  readonly ids: number[];
  /** Whose weights made them, and who asked: a prefix serves these alone. */
  owner: Adapter | null;
  scope: string;
  busy: boolean;
  /** Larger is later. */
  usedAt: number;
}

/** A token that is thrown away may never be asked for again; one that is not there has to be computed now. */
const LOSS_WEIGHT = 1 / 8;

export interface Wanted {
  adapter: Adapter | null;
  scope: string;
  prompt: readonly number[];
  /** At most. */
  reusable: number;
}

export class Slots {
  readonly #slots: Slot[];
  readonly #truncate: (id: number, length: number) => void;
  #clock = 0;

  /** `truncate`: keeps the first `length` tokens of a sequence. */
  constructor(count: number, truncate: (id: number, length: number) => void) {
    this.#truncate = truncate;
    this.#slots = Array.from({ length: count }, (_, id) => ({
      id,
      ids: [],
      owner: null,
      scope: '',
      busy: false,
      usedAt: 0,
    }));
  }

  /** A sequence with as much of the prompt as there is, taken until `release`; null where all are taken. */
  take(wanted: Wanted): Slot | null {
    let best: { slot: Slot; cost: number; reused: number } | null = null;
    for (const slot of this.#slots) {
      if (slot.busy) continue;
      const same = slot.owner === wanted.adapter && slot.scope === wanted.scope;
      const reused = same ? commonPrefix(slot.ids, wanted.prompt, wanted.reusable) : 0;
      const cost = wanted.prompt.length - reused + (slot.ids.length - reused) * LOSS_WEIGHT;
      if (best === null || cost < best.cost || (cost === best.cost && slot.usedAt < best.slot.usedAt))
        best = { slot, cost, reused };
    }
    if (best === null) return null;
    this.#cut(best.slot, best.reused);
    Object.assign(best.slot, { owner: wanted.adapter, scope: wanted.scope, busy: true });
    return best.slot;
  }

  release(slot: Slot): void {
    slot.busy = false;
    this.#clock += 1;
    slot.usedAt = this.#clock;
  }

  /** Forgets what finished requests left there. */
  drop(of: (slot: Slot) => boolean): void {
    for (const slot of this.#slots) if (!slot.busy && of(slot)) this.#cut(slot, 0);
  }

  #cut(slot: Slot, length: number): void {
    if (slot.ids.length === length) return;
    this.#truncate(slot.id, length);
    slot.ids.length = length;
    if (length === 0) slot.usedAt = 0;
  }
}

/** How many leading items of both are the same, at most `limit`. */
function commonPrefix(a: readonly number[], b: readonly number[], limit: number): number {
  const most = Math.min(limit, a.length, b.length);
  for (let index = 0; index < most; index += 1) if (a[index] !== b[index]) return index;
  return most;
}
