/**
 * Which program a request comes from, as a name for people: by its User-Agent, or where that names but a library, by how
 * its instructions begin. Pure. It is what the program says of itself: good for telling turns apart, never for deciding
 * anything.
 */
import type { PlainMessage } from '../protocol/gateway.ts';

const MAX_CHARS = 40;

/** Products as they call themselves. */
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

/** Agents that send with a library's User-Agent, by the first words of their system message. */
const OPENINGS: readonly (readonly [string, string])[] = [
  ['You are Cline', 'Cline'],
  ['You are Roo', 'Roo Code'],
  ['You are Kilo Code', 'Kilo Code'],
  ['You are OpenHands', 'OpenHands'],
  ['Act as an expert software developer', 'Aider'],
  ['Act as an expert code analyst', 'Aider'],
  ['Act as an expert architect engineer', 'Aider'],
];

/** Null when nothing names it. At most 40 letters, digits, spaces and `.@_-`. */
export function clientName(userAgent: string | undefined, messages: readonly PlainMessage[]): string | null {
  const product = /^[\w.@-][\w.@ -]{0,80}/.exec(userAgent?.trimStart() ?? '')?.[0].trim() ?? '';
  const known = KNOWN.find(([pattern]) => pattern.test(product));
  if (known !== undefined) return known[1];
  const system = messages[0]?.role === 'system' ? messages[0].content.trimStart() : '';
  const opening = OPENINGS.find(([words]) => system.startsWith(words));
  if (opening !== undefined) return opening[1];
  const name = product.slice(0, MAX_CHARS).trimEnd();
  return name === '' ? null : name;
}
