/**
 * The worker's certificate: read and looked at before anybody connects, or made with openssl and kept. Its fingerprint
 * goes into the pairing line when no authority vouches for it.
 */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Tls } from '../server.ts';
import type { Options } from './options.ts';

const OPENSSL_LIMIT_MS = 30_000;
/** It is compared whole by those who paired with it; a new one means pairing again. */
const VALID_DAYS = 3650;

export interface Certificate extends Tls {
  /** Hex over its DER, to be paired with; null where an authority vouches for it. */
  sha256: string | null;
  validTo: Date;
}

/** Null without TLS. Throws `invalid_request` for files that are no certificate, or not of one another, or out of date. */
export function certificateFor({
  tls,
  home,
  hosts,
}: Pick<Options, 'tls' | 'home' | 'hosts'>): Certificate | null {
  switch (tls.kind) {
    case 'none':
      return null;
    case 'files':
      return read(tls.certificateFile, tls.keyFile);
    case 'self-signed': {
      const folder = join(home, 'tls');
      const files = [join(folder, 'certificate.pem'), join(folder, 'key.pem')] as const;
      if (!files.every((file) => existsSync(file))) make(folder, files, hosts);
      return read(...files);
    }
  }
}

function read(certificateFile: string, keyFile: string): Certificate {
  const certificate = readText(certificateFile);
  const privateKey = readText(keyFile);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey)))
      throw new Error('the key is not that of the certificate');
  } catch (error) {
    throw unusable(certificateFile, error instanceof Error ? error.message : String(error), error);
  }
  const validTo = new Date(parsed.validTo);
  if (validTo.getTime() < Date.now()) throw unusable(certificateFile, `it was valid to ${parsed.validTo}`);
  const selfSigned = parsed.checkIssued(parsed) && parsed.verify(parsed.publicKey);
  const sha256 = parsed.fingerprint256.replaceAll(':', '').toLowerCase();
  return { certificate, privateKey, sha256: selfSigned ? sha256 : null, validTo };
}

function make(
  folder: string,
  [certificateFile, keyFile]: readonly [string, string],
  hosts: readonly string[],
): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = ['localhost', '127.0.0.1', ...hosts].map((name) => {
    const bare = name.replace(/^\[|\]$/g, '');
    return isIP(bare) === 0 ? `DNS:${bare}` : `IP:${bare}`;
  });
  const temporary = [`${certificateFile}.tmp`, `${keyFile}.tmp`] as const;
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  args.push('-days', String(VALID_DAYS), '-subj', '/CN=apprentice-worker');
  args.push('-addext', `subjectAltName=${[...new Set(names)].join(',')}`);
  args.push('-out', temporary[0], '-keyout', temporary[1]);
  // openssl writes the key with mode 0600; the folder is nobody else's besides.
  const { status, stderr, error } = spawnSync('openssl', args, {
    encoding: 'utf8',
    timeout: OPENSSL_LIMIT_MS,
  });
  if (status !== 0)
    throw new ApprenticeError(
      'setup_failed',
      `openssl made no certificate: ${(error?.message ?? stderr).trim().split('\n').at(-1)}.`,
      'Install openssl (1.1.1 or newer), or name your own files with --tls-cert and --tls-key.',
    );
  renameSync(temporary[1], keyFile);
  renameSync(temporary[0], certificateFile);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(file, error instanceof Error ? error.message : String(error), error);
  }
}

function unusable(file: string, why: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `${file} cannot be used for TLS: ${why}.`,
    'Name a certificate and its key, both PEM and unencrypted; or delete them to have new ones made.',
    { cause },
  );
}
