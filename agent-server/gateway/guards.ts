/**
 * Who may speak to the gateway: middleware that checks Host, Origin and the bearer token, in this order. A page
 * in a browser can reach loopback; a foreign Host (DNS rebinding) or any Origin gives it away.
 */
import type { MiddlewareHandler } from 'hono';
import { ApprenticeError } from '../protocol/errors.ts';
import { sameSecret } from '../secret.ts';

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]'];

/** Throws `forbidden_host` unless Host is a loopback name with the listener's own port. */
export function hostGuard(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host')?.toLowerCase();
    if (!LOOPBACK_NAMES.some((name) => host === `${name}:${port()}`))
      throw new ApprenticeError(
        'forbidden_host',
        'The Host header is not this gateway.',
        `Use http://127.0.0.1:${port()}.`,
      );
    await next();
  };
}

/** Throws `forbidden_origin` for any Origin: no web page has business here, and other clients send none. */
export const originGuard: MiddlewareHandler = async (context, next) => {
  if (context.req.header('origin') !== undefined)
    throw new ApprenticeError(
      'forbidden_origin',
      'Requests from web pages are refused.',
      'Use a client outside the browser.',
    );
  await next();
};

/** Throws `unauthorized` unless the bearer token, or Anthropic's `x-api-key`, is one of the gateway's. */
export function keyGuard(keys: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const bearer = /^Bearer (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    const given = bearer ?? context.req.header('x-api-key') ?? '';
    if (!keys.some((key) => sameSecret(given, key)))
      throw new ApprenticeError(
        'unauthorized',
        'The API key is missing or wrong.',
        'Send "Authorization: Bearer <key>" or "x-api-key: <key>" with the key of gateway.json.',
      );
    await next();
  };
}
