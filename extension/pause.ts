/** A wait that somebody may end before its time. */

export class Pause {
  #wake: (() => void) | null = null;

  /** Ends the wait, if there is one. */
  wake(): void {
    this.#wake?.();
  }

  /** Resolves to false after `delayMs`, to true when woken or aborted. One wait at a time. */
  wait(delayMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (woken: boolean): void => {
        clearTimeout(timer);
        this.#wake = null;
        signal.removeEventListener('abort', wake);
        resolve(woken);
      };
      const wake = (): void => end(true);
      const timer = setTimeout(end, delayMs, false);
      this.#wake = wake;
      if (signal.aborted) wake();
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
