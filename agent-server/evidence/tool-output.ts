/**
 * Output of a program, made plain: what every recogniser reads. A recogniser first looks for its own mark in the
 * whole text: most outputs are no report, and a search for a few letters is far cheaper than patterns on every line.
 */

export interface ToolOutput {
  /** Without terminal control sequences, with LF line ends. */
  readonly text: string;
  /** Lines of it, each cut at MAX_LINE_CHARS, so that no pattern meets a long one. */
  readonly lines: readonly string[];
}

/** What capture keeps (protocol/observations.ts). Whatever is longer loses its middle: totals stand at the end. */
const MAX_CHARS = 65_536;
const MAX_LINE_CHARS = 1_000;

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
/** CSI (colours, cursor), OSC (titles, links) and two-character sequences (ECMA-48). Each branch is linear. */
const CONTROL = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?|[@-Z\\\\-_])`,
  'g',
);

export function toolOutput(raw: string): ToolOutput {
  const kept = raw.length <= MAX_CHARS ? raw : `${raw.slice(0, MAX_CHARS / 2)}\n${raw.slice(-MAX_CHARS / 2)}`;
  const text = kept.replaceAll(CONTROL, '').replaceAll(/\r\n?/g, '\n');
  return { text, lines: text.split('\n').map((line) => line.slice(0, MAX_LINE_CHARS)) };
}

/** How far a line is indented, in characters. */
export function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
