/** Which session a request belongs to when its client does not say. Pure. */
import { createHash } from 'node:crypto';
import type { PlainMessage } from '../protocol/gateway.ts';
import { SessionId } from '../protocol/ids.ts';

/** The same opening (everything up to the first user message) is the same conversation, grown longer. */
export function sessionOfRequest(messages: readonly PlainMessage[]): SessionId {
  const firstUser = messages.findIndex((message) => message.role === 'user');
  const opening = messages.slice(0, firstUser + 1);
  const hash = createHash('sha256').update(
    JSON.stringify(opening.map(({ role, content }) => [role, content])),
  );
  return SessionId.parse(`opening-${hash.digest('hex').slice(0, 32)}`);
}
