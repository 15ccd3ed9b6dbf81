/**
 * One HTTP request to the worker: `fetch`, or, where a certificate was paired with, Node's own `https` behind the same
 * Response, as `fetch` takes no certificate. What is asked, and what an error means, is http-client.ts.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { EngineEndpoint } from './http-client.ts';
import { tlsOptions } from './tls.ts';

export interface EngineRequest {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string | null;
  signal: AbortSignal;
}

/** A handshake takes two round trips: connections are kept. */
const agent = new Agent({ keepAlive: true });

/** Throws what the system does, and `signal.reason` once that is aborted, in the middle of the body too. */
export function request(endpoint: EngineEndpoint, asked: EngineRequest): Promise<Response> {
  const { url, certificate } = endpoint;
  const { path, method, headers, body, signal } = asked;
  if (certificate === undefined) return fetch(`${url}${path}`, { method, headers, body, signal });
  return paired(`${url}${path}`, { method, headers, agent, ...tlsOptions(endpoint) }, body, signal);
}

function paired(
  url: string,
  options: RequestOptions,
  body: string | null,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason);
      sent.destroy(signal.reason);
    };
    const sent = httpsRequest(url, options, (incoming) => {
      const stop = (): void => void incoming.destroy(signal.reason);
      signal.removeEventListener('abort', abort);
      signal.addEventListener('abort', stop, { once: true });
      incoming.once('close', () => signal.removeEventListener('abort', stop));
      const headers = Object.entries(incoming.headersDistinct).flatMap(([name, values]) =>
        (values ?? []).map((value): [string, string] => [name, value]),
      );
      resolve(
        new Response(bodyOf(incoming), {
          status: incoming.statusCode ?? 502,
          headers,
        }),
      );
    });
    sent.on('error', reject);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    sent.end(body ?? undefined);
  });
}

/** Read no faster than its reader does; who stops reading ends the request. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  // The stream may be told to end once, and the socket goes on to say things after that.
  let open = true;
  const end = (last: () => void): void => {
    if (open) last();
    open = false;
  };
  return new ReadableStream({
    start: (controller) => {
      incoming.on('data', (chunk: Buffer) => {
        if (!open) return;
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.on('end', () => end(() => controller.close()));
      incoming.on('error', (error) => end(() => controller.error(error)));
    },
    pull: () => void incoming.resume(),
    cancel: () => end(() => incoming.destroy()),
  });
}
