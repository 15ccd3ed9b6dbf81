/** How many requests use each adapter, and waiting for none to. The base has a place like any other. */

export class InUse {
  readonly #counts = new Map<string | null, number>();
  #changed = Promise.withResolvers<void>();

  /** Counts one more until what it returns is called, once. */
  take(name: string | null): () => void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers<void>();
    };
  }

  /** Resolves once nobody uses it. */
  async free(name: string): Promise<void> {
    while (this.#counts.has(name)) await this.#changed.promise;
  }

  /** Resolves once nothing is in use. */
  async allFree(): Promise<void> {
    while (this.#counts.size > 0) await this.#changed.promise;
  }
}
