/** How wide a chart stands in the page: it is drawn pixel for pixel, so that its labels keep their size. */
import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** Has its host drawn anew when the width changes. */
export class DrawnWidth implements ReactiveController {
  readonly #host: ReactiveControllerHost & Element;
  readonly #resize = new ResizeObserver(([entry]) => {
    if (entry === undefined || entry.contentRect.width === 0) return;
    this.#pixels = Math.round(entry.contentRect.width);
    this.#host.requestUpdate();
  });
  #pixels: number;

  /** `pixels`: until it is known. */
  constructor(host: ReactiveControllerHost & Element, pixels: number) {
    this.#host = host;
    this.#pixels = pixels;
    host.addController(this);
  }

  get pixels(): number {
    return this.#pixels;
  }

  hostConnected(): void {
    this.#resize.observe(this.#host);
  }

  hostDisconnected(): void {
    this.#resize.disconnect();
  }
}
