/**
 * The pairing line that a gpu-worker prints and a person pastes into an editor: where it is, its key, and by which
 * certificate it is known. The key stands in the fragment, which no program sends anywhere.
 *
 *     apprentice-worker://gpu.example:7430#KEY                 TLS, certificate of a known authority
 *     apprentice-worker://gpu.example:7430?sha256=HEX#KEY      TLS, this very certificate (sha256 over its DER)
 *     apprentice-worker://127.0.0.1:7430?plain#KEY             no TLS: loopback, a tunnel, or a network that is trusted
 */
import { z } from 'zod';

const SCHEME = 'apprentice-worker:';
export const DEFAULT_WORKER_PORT = 7430;

/** What an Authorization header can carry and nobody guesses. */
export const WorkerKey = z.string().regex(/^[\w.~+/=-]{16,200}$/);

export const Pairing = z.object({
  /** Origin: `https://gpu.example:7430`. */
  url: z.url({ protocol: /^https?$/ }).regex(/^https?:\/\/[^/?#@]+$/, 'give protocol, host and port alone'),
  key: WorkerKey,
  /** Hex, over the DER of the worker's own certificate; null: the system's authorities decide. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});
export type Pairing = z.infer<typeof Pairing>;

export function formatPairing({ url, key, sha256 }: Pairing): string {
  const { protocol, host } = new URL(url);
  const query = protocol === 'http:' ? '?plain' : sha256 === null ? '' : `?sha256=${sha256}`;
  return `${SCHEME}//${host}${query}#${key}`;
}

/** Null for a text that is no pairing line. White space around it, and a line break that a terminal made, do no harm. */
export function parsePairing(text: string): Pairing | null {
  const joined = text.replaceAll(/\s+/g, '');
  if (!joined.startsWith(`${SCHEME}//`) || !URL.canParse(joined)) return null;
  const { host, searchParams, hash } = new URL(joined);
  const protocol = searchParams.has('plain') ? 'http' : 'https';
  const parsed = Pairing.safeParse({
    url: `${protocol}://${host}`,
    key: hash.slice(1),
    sha256: searchParams.get('sha256'),
  });
  return parsed.success ? parsed.data : null;
}
