/**
 * How long to wait before trying again, the same in every process: 0.25 s, 0.5 s, ... 8 s, back to the start after
 * a minute of success. Pure; waiting and giving up are the caller's.
 */

const FIRST_MS = 250;
const LONGEST_MS = 8_000;
/** What lasted this long worked: its end is news again. */
const STEADY_MS = 60_000;

export class BackOff {
  #failures = 0;

  /** In a row, the one last counted by `delayMs` included. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure; the delay before the next attempt, given how long the failed one lasted. */
  delayMs(lastedMs: number): number {
    if (lastedMs >= STEADY_MS) this.#failures = 0;
    const delay = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
    return delay;
  }
}
