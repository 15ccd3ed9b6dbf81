/**
 * Fences: untrusted text set apart in a judge's prompt so that nothing inside can end the fence or look like what
 * stands outside of it. Every line of the text begins with a bar; the lines around it do not, and carry a nonce that
 * the text cannot know. What a judge makes of the text all the same is measured by test/bench/injection.ts.
 */

/** What comes before every line of fenced text. */
export const BAR = '| ';

/** What some reader or other takes for the end of a line. */
const LINE_ENDS = /\r\n|[\r\v\f\u0085\u2028\u2029]/gu;
/**
 * What is read by a model and not seen by a person: controls but tab and line feed, format characters (zero width,
 * bidirectional, tags), variation selectors, unpaired surrogates, private use.
 */
const UNSEEN = /[^\P{C}\t\n]|[\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]/gu;

/**
 * Spellings of control tokens of the usual chat templates. A server that reads them out of a message would end the
 * message there, and with it every fence; a space after the first character leaves them to be read by eye.
 */
const CONTROL_TOKENS =
  /<\||\|>|<<?(?=\/?(?:s|bos|eos|pad|unk|think|tool_call|start_of_turn|end_of_turn|SYS)>)|\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])/giu;

/** `text` as it may be shown: NFKC, so that letters of other widths and styles are plain; unseen characters gone; control tokens apart. */
export function visible(text: string): string {
  return text
    .normalize('NFKC')
    .replace(LINE_ENDS, '\n')
    .replace(UNSEEN, '')
    .replace(CONTROL_TOKENS, (token) => `${token.slice(0, 1)} ${token.slice(1)}`);
}

/** `text` as it stands in a fence: visible, a bar before every line. */
export function barred(text: string): string {
  return visible(text)
    .split('\n')
    .map((line) => `${BAR}${line}`)
    .join('\n');
}

/**
 * Barred text between two lines that name what it is and carry the nonce; a longer text loses its middle, and says
 * how much. `label` and `nonce` are ours. The nonce is drawn after the text is known: who wrote it cannot hold it.
 */
export function fence(label: string, text: string, nonce: string, maxCharacters: number): string {
  return `[begin ${label} ${nonce}]\n${withoutMiddle(text, maxCharacters)}\n[end ${label} ${nonce}]`;
}

/** Beginning and end count most: what was asked, and how it ended. A line that is cut gets its bar again. */
function withoutMiddle(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const half = Math.floor(maxCharacters / 2);
  const head = text
    .slice(0, half)
    .replace(/\n\|?$/, '')
    .toWellFormed();
  const tail = text.slice(-half).toWellFormed();
  return `${head}\n${BAR}(${text.length - 2 * half} characters left out)\n${BAR}${tail}`;
}

/**
 * How many characters each text may keep of `total`: an equal share, and what shorter ones leave of theirs. A text
 * of any length leaves the others their share.
 */
export function shares(lengths: readonly number[], total: number): number[] {
  const kept = lengths.map(() => 0);
  let [left, open] = [total, lengths.map((_, index) => index)];
  while (open.length > 0) {
    const share = Math.floor(left / open.length);
    const short = open.filter((index) => (lengths[index] ?? 0) <= share);
    if (short.length === 0) {
      for (const index of open) kept[index] = share;
      break;
    }
    for (const index of short) {
      kept[index] = lengths[index] ?? 0;
      left -= lengths[index] ?? 0;
    }
    open = open.filter((index) => !short.includes(index));
  }
  return kept;
}
