/** How often an engine stood still for other weights, and for how long; told to who asks, as at a scrape. */

export class WeightPauses {
  #count = 0;
  #seconds = 0;
  #lastSeconds: number | null = null;

  get count(): number {
    return this.#count;
  }

  /** Of all together. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Null: there was none yet. */
  get lastSeconds(): number | null {
    return this.#lastSeconds;
  }

  add(seconds: number): void {
    this.#count += 1;
    this.#seconds += seconds;
    this.#lastSeconds = seconds;
  }
}
