/** Untrusted text on its way to a terminal or a line of a table: nothing in it may steer what shows it. */

/** One line without control characters, escape sequences or text-direction marks, cut to `maxChars`. */
export function oneLine(text: string, maxChars: number): string {
  const plain = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
    .replace(/\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)?|.)?/g, '')
    .replace(/[\r\n\t]+/g, ' ')
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim();
  const characters = [...plain];
  return characters.length > maxChars ? `${characters.slice(0, maxChars - 1).join('')}…` : plain;
}
