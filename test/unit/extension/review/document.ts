/** A document as an editor has it, without an editor: lines with one kind of line end, changed by ranges. */
import { type LineEdit, type TextChange, textChange } from '../../../../extension/review/line-range.ts';

export class Document {
  text: string;
  readonly eol: string;

  constructor(lines: readonly string[], eol: '\n' | '\r\n') {
    this.text = lines.join(eol);
    this.eol = eol;
  }

  get lines(): string[] {
    return this.text.split(this.eol);
  }

  readonly lineAt = (line: number): string => this.lines[line] ?? '';

  /** From the end, as every edit names the lines of before. Returns what an editor would tell of it. */
  apply(edits: readonly LineEdit[]): TextChange[] {
    const { lines } = this;
    const document = {
      lineCount: lines.length,
      lengthOf: (line: number) => lines[line]?.length ?? Number.NaN,
    };
    const changes = edits.map((edit) => textChange(edit, document)).toReversed();
    for (const change of changes) this.change(change);
    return changes;
  }

  change({ start, end, text }: TextChange): void {
    const [from, to] = [this.#offset(start), this.#offset(end)];
    if (!(from <= to && to <= this.text.length)) throw new Error(`no such range: ${from} to ${to}`);
    // Editors bring every line end to the document's own.
    this.text = this.text.slice(0, from) + text.replaceAll(/\r\n|\n/g, this.eol) + this.text.slice(to);
  }

  #offset({ line, character }: TextChange['start']): number {
    const { lines } = this;
    if (character > (lines[line]?.length ?? -1)) throw new Error(`no such place: ${line}:${character}`);
    return lines.slice(0, line).reduce((sum, one) => sum + one.length + this.eol.length, character);
  }
}
