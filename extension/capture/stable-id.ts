/** The id of an observation that several windows make: a function of what was observed, so that it counts once. */
import { createHash } from 'node:crypto';

/** A UUID (version 8, RFC 9562) of what tells the observation from every other. */
export function stableObservationId(...of: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(of.join('\0')).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
