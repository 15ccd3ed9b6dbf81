/**
 * Canonical hashes of a conversation: by them a request is known to go on from an earlier turn, or to repeat it.
 * Pure. What is hashed is what clients send back unchanged: roles, texts without the space around them, names and
 * arguments of tool calls. Left out is what they change on the way: the system's messages (time, mode, open files),
 * ids of calls, the order of keys in arguments, text beside calls, and reasoning, which most do not send back at all.
 */
import { createHash } from 'node:crypto';
import type { AnswerMessage, PlainMessage } from '../protocol/gateway.ts';
import type { RequestHashes } from '../store/types.ts';

/** Where one of a request's earlier answers ends, and the hash of everything up to there. */
export interface Prefix {
  conversation: string;
  /** Hash of everything before that answer: the dialogue of the request that it answered. */
  dialogue: string;
  /** Index of the message after it. */
  end: number;
}

export interface HashedRequest extends RequestHashes {
  /** One for each answer among the messages, the latest first. */
  prefixes: Prefix[];
  /** The latest answer with what was said since the answer before it; null when there is no answer yet. */
  exchange: string | null;
}

/**
 * O(messages): one pass, a running hash. `scope`: the session that the client names, or ''; hashes of different
 * scopes never meet, so that a named session is only ever compared with itself.
 */
export function hashRequest(messages: readonly PlainMessage[], scope: string): HashedRequest {
  let [dialogue, system, exchange] = [scope, scope, scope];
  let latestExchange: string | null = null;
  const prefixes: Prefix[] = [];
  for (const { message, end } of answersJoined(messages)) {
    const text = canonical(message);
    if (message.role === 'system') {
      system = chain(system, text);
      continue;
    }
    const before = dialogue;
    dialogue = chain(before, text);
    exchange = chain(exchange, text);
    if (message.role !== 'assistant') continue;
    prefixes.unshift({ conversation: dialogue, dialogue: before, end });
    latestExchange = exchange;
    exchange = scope;
  }
  return { dialogue, system, prefixes, exchange: latestExchange };
}

/** Of a request and the answer to it: what `hashRequest` finds in a request that goes on from there. */
export function hashAnswered(
  messages: readonly PlainMessage[],
  answer: AnswerMessage,
  scope: string,
): { conversation: string; exchange: string } {
  const hashed = hashRequest([...messages, { role: 'assistant', ...answer }], scope);
  return { conversation: hashed.dialogue, exchange: hashed.exchange ?? hashed.dialogue };
}

function chain(before: string, text: string): string {
  return createHash('sha256').update(before).update('\0').update(text).digest('hex').slice(0, 32);
}

/** An answer sent back as several messages (its text, its calls) is one answer. `end`: index of the message after it. */
function answersJoined(messages: readonly PlainMessage[]): { message: PlainMessage; end: number }[] {
  const joined: { message: PlainMessage; end: number }[] = [];
  for (const [index, message] of messages.entries()) {
    const last = joined.at(-1);
    if (message.role !== 'assistant' || last?.message.role !== 'assistant') {
      joined.push({ message, end: index + 1 });
      continue;
    }
    const { content, toolCalls = [] } = last.message;
    last.message = {
      role: 'assistant',
      content: [content, message.content].filter((text) => text.trim() !== '').join('\n'),
      toolCalls: [...toolCalls, ...(message.toolCalls ?? [])],
    };
    last.end = index + 1;
  }
  return joined;
}

function canonical(message: PlainMessage): string {
  const calls =
    message.role === 'assistant'
      ? (message.toolCalls ?? []).map((call) => [call.name, sortedJson(call.arguments)])
      : [];
  const text = calls.length > 0 ? '' : message.content.replaceAll('\r\n', '\n').trim();
  return JSON.stringify([message.role, text, calls]);
}

/** JSON text with its keys in order; text that is no JSON as it is. */
function sortedJson(text: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text.trim();
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => [key, sorted(one)]);
}
