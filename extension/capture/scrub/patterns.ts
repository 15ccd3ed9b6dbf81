/**
 * Our own kinds of secrets: those that the library (library-rules.ts) does not know, or knows only in files and not in
 * a diff, where every line carries a sign. Pure. Every repetition has a bound, so that no text is slow to read.
 */

export const PLACEHOLDER = '<secret>';

const WHOLE = [
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  // Identifiers, which the library lets pass.
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  // Looser than the library, which knows the exact lengths of today.
  /\bgh[pousr]_[A-Za-z0-9]{36,255}\b/g,
  /\bsk-[A-Za-z0-9_-]{20,255}/g,
  /\bAIza[A-Za-z0-9_-]{35}/g,
  /\beyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{1,1000}/g,
];

/** `password = "..."` and its like: the name stays, because the model may speak of it. */
const ASSIGNED =
  /((?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key)[A-Za-z0-9_-]{0,40}["']?[ \t]{0,20}[:=][ \t]{0,20})(["'])(?:(?!\2)[^\n]){4,1000}\2/gi;

/** What a request is signed with, as it stands in a command line or a log. */
const AUTHORIZATION =
  /\b(authorization["']?\s{0,5}[:=]\s{0,5}["']?(?:bearer|basic|token)\s{1,5})[A-Za-z0-9._~+/=-]{8,8000}/gi;

/** User and password in a URL. */
const IN_URL = /([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/:@]{1,200}:[^\s/@]{1,400}@/gi;

/** `text` with our own kinds of secrets replaced. */
export function cutPatterns(text: string): string {
  let cut = text;
  for (const pattern of WHOLE) cut = cut.replace(pattern, PLACEHOLDER);
  return cut
    .replace(AUTHORIZATION, `$1${PLACEHOLDER}`)
    .replace(ASSIGNED, `$1$2${PLACEHOLDER}$2`)
    .replace(IN_URL, `$1${PLACEHOLDER}@`);
}
