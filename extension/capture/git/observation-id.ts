/** Ids of what git did: functions of the repository and the event, so that two windows tell it once. */
import { createHash } from 'node:crypto';

/** A UUID of version 8 (RFC 9562). The parts hold no NUL. */
export function observationIdOf(...parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join('\0')).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
