/**
 * Which program a request comes from, by its User-Agent, as a name for people. Pure. It is what the program says of
 * itself: good for telling turns apart, never for deciding anything.
 */

const MAX_CHARS = 40;

/** Products as they call themselves, or the library that they send with. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/^codex[_-]/i, 'Codex CLI'],
  [/^claude-(?:cli|code)\b/i, 'Claude Code'],
  [/^opencode\b/i, 'OpenCode'],
  [/^qwen-?code\b/i, 'Qwen Code'],
  [/^cline\b/i, 'Cline'],
  [/^roo-?code\b/i, 'Roo Code'],
  [/^kilo-?code\b/i, 'Kilo Code'],
  [/^continue\b/i, 'Continue'],
  [/^aider\b/i, 'Aider'],
  [/^openhands\b/i, 'OpenHands'],
];

/** Null when it names nothing. At most 40 letters, digits, spaces and `._-`. */
export function clientName(userAgent: string | undefined): string | null {
  const product = /^[\w.@-][\w.@ -]{0,80}/.exec(userAgent?.trimStart() ?? '')?.[0].trim() ?? '';
  const known = KNOWN.find(([pattern]) => pattern.test(product));
  if (known !== undefined) return known[1];
  const name = product.slice(0, MAX_CHARS).trimEnd();
  return name === '' ? null : name;
}
