/**
 * Takes secrets out of a diff before it leaves the window. Pure. Known shapes only: what it misses stays on
 * this machine all the same. The same text gives the same result, so that a commit's diff still matches.
 */

const PLACEHOLDER = '<secret>';

const WHOLE = [
  // PEM blocks; in a diff every line may carry a sign.
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{22,}\b/g,
  /\bglpat-[A-Za-z0-9_-]{20,}/g,
  /\bxox[abprs]-[A-Za-z0-9-]{10,}/g,
  /\bsk-[A-Za-z0-9_-]{20,}/g,
  /\bAIza[A-Za-z0-9_-]{35}/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+/g,
];

/** `password = "..."` and its like: the name stays, because the model may speak of it. */
const ASSIGNED =
  /\b([A-Za-z0-9_-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key)[A-Za-z0-9_-]*["']?\s*[:=]\s*)(["'])(?:(?!\2)[^\n]){4,}\2/gi;

/** User and password in a URL. */
const IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/:@]+:[^\s/@]+@/gi;

/** `text` with every recognised secret replaced. */
export function scrubSecrets(text: string): string {
  let scrubbed = text;
  for (const pattern of WHOLE) scrubbed = scrubbed.replace(pattern, PLACEHOLDER);
  return scrubbed.replace(ASSIGNED, `$1$2${PLACEHOLDER}$2`).replace(IN_URL, `$1${PLACEHOLDER}@`);
}
