/** Growing delays between attempts: 0.25 s, 0.5 s, ... 8 s, back to the start after a minute of success. Pure. */

const FIRST_MS = 250;
const LONGEST_MS = 8_000;
const STEADY_MS = 60_000;

export class BackOff {
  #nextMs = FIRST_MS;

  /** The delay before the next attempt, given how long the last one lasted. */
  delayMs(lastedMs: number): number {
    if (lastedMs >= STEADY_MS) this.#nextMs = FIRST_MS;
    const delay = this.#nextMs;
    this.#nextMs = Math.min(delay * 2, LONGEST_MS);
    return delay;
  }
}
