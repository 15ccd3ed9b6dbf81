/** What an engine says about a response it was shown, as the algorithms need it. Engine-blind and read-only. */

/** Best first: `[log pi(id), id]`, natural logarithm at temperature 1. */
export type TopList = readonly (readonly [number, number])[];

/** A response of R tokens under one model and one prompt. */
export interface ScoredResponse {
  /** R: log pi of the response's own token. */
  readonly logprobs: readonly number[];
  /** R lists of the model's best tokens; empty lists when none were asked for. */
  readonly top: readonly TopList[];
}

export type Score = 1 | 0 | -1;

/** Logprob of `id` in a list, or undefined when the list does not hold it. The first entry of an id counts. */
export function listed(list: TopList, id: number): number | undefined {
  return list.find((entry) => entry[1] === id)?.[0];
}

/** The smallest logprob of a list: an upper bound for every id outside it. -Infinity for an empty list. */
export function floorOf(list: TopList): number {
  return list.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...list.map((entry) => entry[0]));
}

/** The `k` best distinct ids of a list, best first; fewer when the list is shorter. */
export function topIds(list: TopList, k: number): number[] {
  return [...new Set(list.map((entry) => entry[1]))].slice(0, k);
}
