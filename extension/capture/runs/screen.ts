/**
 * What a terminal's screen shows after a stream of output: progress bars in their last state, no colours, no cursor
 * movements. A bundle of its own, loaded for the first command that is read. Memory is bounded: of a long output its
 * beginning and its last rows are kept.
 */
import headless, { type IMarker, type Terminal } from '@xterm/headless';

/** Wider than most terminals: a line that fitted the user's must not wrap here, where it would hide what it overwrites. */
const COLUMNS = 256;
const ROWS = 50;
const SCROLLBACK_ROWS = 2_000;
/** After so many characters or rows those so far are kept as the beginning. */
const HEAD_CHARS = 65_536;
const HEAD_ROWS = SCROLLBACK_ROWS / 2;
/** Fed at once while the beginning is not kept yet: no row of it may be lost before. */
const FIRST_SLICE_CHARS = SCROLLBACK_ROWS / 2;
const SLICE_CHARS = 65_536;

export class Screen {
  readonly #terminal: Terminal = new headless.Terminal({
    cols: COLUMNS,
    rows: ROWS,
    scrollback: SCROLLBACK_ROWS,
    // A pty turns each line feed of a program into both; a stream that bypassed it has the feed alone.
    convertEol: true,
    logLevel: 'off',
    allowProposedApi: true,
  });
  /** Disposed by the terminal when its row is lost. */
  readonly #start: IMarker | undefined = this.#terminal.registerMarker(0);
  #head: { readonly text: string; readonly end: IMarker | undefined } | undefined;
  #fedChars = 0;

  /** Resolves when it is drawn. */
  async write(data: string): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const slice = data.slice(at, at + (this.#head === undefined ? FIRST_SLICE_CHARS : SLICE_CHARS));
      await new Promise<void>((drawn) => this.#terminal.write(slice, drawn));
      at += slice.length;
      this.#fedChars += slice.length;
      if (this.#head === undefined && this.#isLong()) this.#keepHead();
    }
  }

  /** The rows from the first to the last that says something, wrapped ones joined. */
  text(): string {
    if (this.#head === undefined || this.#start?.isDisposed !== true) return this.#rows(0);
    const { text, end } = this.#head;
    const lost = end === undefined || end.isDisposed;
    return lost ? `${text}\n[rows left out]\n${this.#rows(0)}` : `${text}\n${this.#rows(end.line)}`;
  }

  dispose(): void {
    this.#terminal.dispose();
  }

  #isLong(): boolean {
    return this.#fedChars >= HEAD_CHARS || this.#terminal.buffer.normal.length >= HEAD_ROWS;
  }

  #keepHead(): void {
    const { baseY, cursorY } = this.#terminal.buffer.normal;
    const end = this.#terminal.registerMarker(0);
    this.#head = { text: this.#rows(0, baseY + cursorY), end };
  }

  #rows(from: number, to = Number.POSITIVE_INFINITY): string {
    // Full-screen programs draw on the other buffer, and leave nothing to read.
    const buffer = this.#terminal.buffer.normal;
    const lines: string[] = [];
    for (let y = from; y < Math.min(to, buffer.length); y++) {
      const row = buffer.getLine(y);
      const next = buffer.getLine(y + 1);
      const text = row?.translateToString(next?.isWrapped !== true) ?? '';
      if (row?.isWrapped === true && lines.length > 0) lines.push(`${lines.pop() ?? ''}${text}`);
      else lines.push(text);
    }
    return lines.join('\n').replace(/\n+$/, '');
  }
}
