/** Is there a gpu-worker behind a pairing, and one that will do? Asked before it is used; changes nothing there. */
import { EngineHttp } from '../engine/http-client.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { LINK_PROTOCOL, WorkerInfo } from '../protocol/link.ts';
import type { Pairing } from '../protocol/pairing.ts';
import { pairedEndpoint } from './remote-worker.ts';

const LIMIT_MS = 15_000;

/**
 * Throws `worker_unavailable`, `unauthorized` for a wrong key or certificate, `version_mismatch` for a worker that
 * speaks another protocol, or is none.
 */
export async function tryWorker(pairing: Pairing, signal: AbortSignal): Promise<WorkerInfo> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const endpoint = await pairedEndpoint(pairing, limited);
  const http = new EngineHttp(() => endpoint, { requestMs: LIMIT_MS });
  const info = await http
    .json('GET', '/worker/info', undefined, WorkerInfo, limited, 1)
    .catch((thrown: unknown) => {
      throw told(toApprenticeError(thrown), pairing.url);
    });
  if (info.linkProtocol !== LINK_PROTOCOL)
    throw mismatch(pairing.url, `it speaks link protocol ${info.linkProtocol} and not ${LINK_PROTOCOL}`);
  return info;
}

/** In terms of a worker that somebody has just named. */
function told(error: ApprenticeError, url: string): ApprenticeError {
  switch (error.code) {
    case 'unauthorized':
      return new ApprenticeError(
        'unauthorized',
        `The gpu-worker at ${url} does not accept this key.`,
        'Copy the line that apprentice-worker prints at its start.',
      );
    case 'forbidden_host':
      return new ApprenticeError(
        'forbidden_host',
        `The gpu-worker at ${url} does not go by that name.`,
        `Start it with --allow-host ${new URL(url).hostname}.`,
      );
    case 'engine_unavailable':
    case 'timeout': {
      const cause = error.cause instanceof Error ? error.cause.cause : undefined;
      const why = cause instanceof Error ? cause.message : error.message;
      const untrusted = cause instanceof Error && 'code' in cause && SELF_SIGNED.has(cause.code);
      return new ApprenticeError(
        'worker_unavailable',
        `There is no gpu-worker to be reached at ${url}: ${why}.`,
        untrusted
          ? 'Its certificate is its own: paste the whole pairing line, which says which one it is.'
          : 'See that apprentice-worker runs there, and that the port is open.',
      );
    }
    case 'aborted':
      return error;
    default:
      return mismatch(url, error.message);
  }
}

const SELF_SIGNED: ReadonlySet<unknown> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function mismatch(url: string, why: string): ApprenticeError {
  return new ApprenticeError(
    'version_mismatch',
    `What answers at ${url} is no gpu-worker of this version: ${why}`.replace(/\.?$/, '.'),
    'Run the same version of Apprentice on both machines.',
  );
}
