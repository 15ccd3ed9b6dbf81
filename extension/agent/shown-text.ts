/** What a model wrote, as it can be shown to a person without misleading them. Pure. */

/** Controls, and what draws nothing or turns the direction of writing: a line must read as it runs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Every character that does not show becomes its number; new lines and tabs stay. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (one) =>
    one === '\n' || one === '\t' ? one : `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** As words of a sentence in Markdown: nothing in it is markup. */
export function plainWords(text: string): string {
  return visible(text)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_{}[\]()<>#+.!|~&-]/g, '\\$&');
}

/** As code within a line of Markdown, whatever stands in it. */
export function inlineCode(text: string): string {
  const line = visible(text).replaceAll('\n', ' ⏎ ');
  const fence = '`'.repeat(longestRun(line) + 1);
  return `${fence} ${line} ${fence}`;
}

/** As a block of code in Markdown. */
export function codeBlock(text: string): string {
  const shown = visible(text);
  const fence = '`'.repeat(Math.max(3, longestRun(shown) + 1));
  return `\n${fence}text\n${shown}\n${fence}\n`;
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, { length }) => Math.max(most, length), 0);
}
