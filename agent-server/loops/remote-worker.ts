/**
 * A gpu-worker on another machine, in the place of worker-process.ts: nothing is started or ended. Where it is known by
 * a certificate of its own, that is fetched and compared before the key is sent anywhere.
 */
import { connect } from 'node:tls';
import type { EngineEndpoint, PairedCertificate } from '../engine/http-client.ts';
import { fingerprint } from '../engine/tls.ts';
import { BackOff } from '../protocol/back-off.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { Pairing } from '../protocol/pairing.ts';

const HANDSHAKE_LIMIT_MS = 10_000;

export class RemoteWorker {
  readonly #pairing: Pairing;
  readonly #listeners = new Set<(endpoint: EngineEndpoint | null) => void>();
  readonly #backOff = new BackOff();
  readonly #stopping = new AbortController();
  #endpoint: EngineEndpoint | null = null;
  #error: ApprenticeError | null = null;
  #retry: NodeJS.Timeout | null = null;

  constructor(pairing: Pairing) {
    this.#pairing = pairing;
  }

  /** Where it listens. Throws `worker_unavailable` while its certificate has not been seen, or is another's. */
  readonly endpoint = (): EngineEndpoint => {
    if (this.#endpoint) return this.#endpoint;
    throw this.#error ?? unreachable(this.#pairing.url, 'it has not answered yet');
  };

  /** Called once it is known where it listens. Returns the disposer. */
  onChange(listener: (endpoint: EngineEndpoint | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (!this.#endpoint && !this.#retry && !this.#stopping.signal.aborted) void this.#find();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#retry) clearTimeout(this.#retry);
  }

  async #find(): Promise<void> {
    const startedAtMs = performance.now();
    try {
      this.#endpoint = await pairedEndpoint(this.#pairing, this.#stopping.signal);
      for (const listener of this.#listeners) listener(this.#endpoint);
    } catch (thrown) {
      if (this.#stopping.signal.aborted) return;
      this.#error = toApprenticeError(thrown);
      this.#retry = setTimeout(
        () => {
          this.#retry = null;
          this.start();
        },
        this.#backOff.delayMs(performance.now() - startedAtMs),
      );
    }
  }
}

/** Throws `worker_unavailable` when it cannot be reached, `unauthorized` when its certificate is not the paired one. */
export async function pairedEndpoint(
  { url, key, sha256 }: Pairing,
  signal: AbortSignal,
): Promise<EngineEndpoint> {
  return sha256 === null
    ? { url, key }
    : { url, key, certificate: await fetchCertificate(url, sha256, signal) };
}

/** A handshake and nothing else: no byte of ours but TLS's own goes out before the certificate is known to be the one. */
function fetchCertificate(url: string, sha256: string, signal: AbortSignal): Promise<PairedCertificate> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false });
    const limited = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_LIMIT_MS)]);
    const end = (error: ApprenticeError): void => {
      socket.destroy();
      reject(error);
    };
    const abort = () => end(unreachable(url, 'it does not answer'));
    if (limited.aborted) abort();
    limited.addEventListener('abort', abort, { once: true });
    socket.once('error', (error) => end(unreachable(url, error.message)));
    socket.once('close', () => limited.removeEventListener('abort', abort));
    socket.once('secureConnect', () => {
      const peer = socket.getPeerX509Certificate();
      if (peer === undefined) return end(unreachable(url, 'it shows no certificate'));
      if (fingerprint(peer) !== sha256) return end(foreign(url));
      resolve({ pem: peer.toString(), sha256 });
      socket.destroy();
    });
  });
}

function unreachable(url: string, why: string): ApprenticeError {
  return new ApprenticeError(
    'worker_unavailable',
    `The gpu-worker at ${url} cannot be reached: ${why}.`,
    'See that apprentice-worker runs there, and that the port is open; it is tried again by itself.',
  );
}

function foreign(url: string): ApprenticeError {
  return new ApprenticeError(
    'unauthorized',
    `What answers at ${url} shows another certificate than the one that was paired with.`,
    'If a new one was made there, pair again with the line that apprentice-worker prints; if not, somebody stands in between.',
  );
}
