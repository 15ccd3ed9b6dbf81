/** Who may talk to the worker: holders of one of its keys, by a name that it was told is its own, and no web page. */
import { timingSafeEqual } from 'node:crypto';
import { ApprenticeError } from '../agent-server/protocol/errors.ts';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The headers that decide; absent ones undefined. */
export interface AccessHeaders {
  host: string | undefined;
  origin: string | undefined;
  authorization: string | undefined;
}

/**
 * Throws `forbidden_host` for a Host that is neither a loopback name nor one of `hosts`, in lower case (a page whose
 * name was rebound to this machine's address), and `forbidden_origin` for any Origin at all: only browsers send one,
 * and no page is a client.
 */
export function checkSource({ host, origin }: AccessHeaders, hosts: readonly string[]): void {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!LOOPBACK_NAMES.has(name) && !hosts.includes(name)) {
    throw new ApprenticeError(
      'forbidden_host',
      'The Host header is not a name of this worker.',
      'Use 127.0.0.1 or localhost; name others with --allow-host.',
    );
  }
  if (origin !== undefined) {
    throw new ApprenticeError(
      'forbidden_origin',
      'Requests from web pages are refused.',
      'Use a client that is not a browser.',
    );
  }
}

/** The key that a request bears; empty where there is none. */
export function bearerKey({ authorization }: AccessHeaders): string {
  return /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '';
}

/**
 * Whose key it is, told by its sha256 (hex); undefined for nobody's. Every hash is compared, and whole, so that the time
 * it takes tells nothing.
 */
export function keyOwner<T extends { readonly keySha256: string }>(
  keySha256: string,
  owners: Iterable<T>,
): T | undefined {
  const given = Buffer.from(keySha256, 'hex');
  let found: T | undefined;
  for (const owner of owners) if (timingSafeEqual(given, Buffer.from(owner.keySha256, 'hex'))) found = owner;
  return found;
}

export function noSuchKey(): ApprenticeError {
  return new ApprenticeError(
    'unauthorized',
    'The worker key is missing or wrong.',
    'Send it as a bearer token.',
  );
}
