/** A commit message taken apart: what git adds is dropped, what the author wrote is kept. */

/** git's template and `git commit -v` put these into the editor; "#123 fix" is an author's own subject. */
const COMMENT = /^#(?:[ \t].*)?$/;
const SCISSORS = /^# -+ >8 -+$/;
/** Written by `commit --signoff` and by hooks, not by the author: they do not make a message another one. */
const TOOL_TRAILER = /^(?:Signed-off-by|Change-Id): \S/;

/**
 * The message as git would keep it (`--cleanup=scissors` with comments stripped): LF line ends, no trailing
 * blanks, no comment lines, no blank lines at either end or doubled inside, no sign-off or change id at the
 * end. Empty when nothing is left.
 */
export function cleanMessage(message: string): string {
  const lines = message.replaceAll(/\r\n?/g, '\n').split('\n');
  const cut = lines.findIndex((line) => SCISSORS.test(line.trimEnd()));
  const kept = (cut === -1 ? lines : lines.slice(0, cut))
    .map((line) => line.trimEnd())
    .filter((line) => !COMMENT.test(line));
  const text = (parts: string[]): string =>
    parts
      .join('\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim();
  const own = text(kept).split('\n');
  while (own.length > 1 && TOOL_TRAILER.test(own.at(-1) ?? '')) own.pop();
  return text(own);
}

/** Subject (first line) and body (the rest, without the blank line between) of a cleaned message. */
export function splitMessage(cleaned: string): { subject: string; body: string } {
  const end = cleaned.indexOf('\n');
  if (end === -1) return { subject: cleaned, body: '' };
  return { subject: cleaned.slice(0, end), body: cleaned.slice(end + 1).trim() };
}
