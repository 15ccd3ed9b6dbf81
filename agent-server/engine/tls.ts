/**
 * How a gpu-worker behind TLS is known: by a certificate of its own that the user has paired with, or by the system's
 * authorities. A paired certificate is compared whole, so that no authority and no name can stand in for it.
 */
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import type { EngineEndpoint } from './http-client.ts';

/** For `https`, `tls` and `ws`; nothing for a plain endpoint, and nothing where the system's authorities decide. */
export function tlsOptions({
  certificate,
}: Pick<EngineEndpoint, 'certificate'>): Pick<ConnectionOptions, 'ca' | 'checkServerIdentity'> {
  if (certificate === undefined) return {};
  // Trust in it as an authority is what lets it pass; that it is this very one is checked here, in place of its names.
  return {
    ca: certificate.pem,
    checkServerIdentity: (_host, peer) => identityFault(certificate.sha256, peer),
  };
}

function identityFault(sha256: string, peer: PeerCertificate): Error | undefined {
  return fingerprint(peer) === sha256
    ? undefined
    : new Error('the certificate is not the one that was paired with');
}

/** Hex sha256 over the certificate as it is sent (DER). */
export function fingerprint(peer: Pick<PeerCertificate, 'fingerprint256'>): string {
  return peer.fingerprint256.replaceAll(':', '').toLowerCase();
}
