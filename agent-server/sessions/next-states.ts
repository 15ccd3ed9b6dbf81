/** What a request says about the answer that it goes on from: replies and tool results, as observations. Pure. */
import { createHash } from 'node:crypto';
import type { AnswerMessage, PlainMessage } from '../protocol/gateway.ts';
import { ObservationId, type TurnId } from '../protocol/ids.ts';
import { MAX_TEXT_CHARS, type Observation } from '../protocol/observations.ts';

const CUT_MARK = '\n[…]\n';

/**
 * `messages`: those since the parent's answer. Ids are functions of the parent and the place in the request, so the
 * same request again, or another reply in place of the first, observes nothing new.
 */
export function nextStatesOf(
  parent: { turnId: TurnId; answer: AnswerMessage | null },
  messages: readonly PlainMessage[],
  observedAt: Date,
): Observation[] {
  return messages.flatMap((message, position): Observation[] => {
    const common = {
      observationId: messageObservationId(parent.turnId, position),
      observedAt: observedAt.toISOString(),
      turnId: parent.turnId,
      text: cutMiddle(message.content),
    };
    if (message.role === 'user' && message.content.trim() !== '') return [{ kind: 'user_reply', ...common }];
    if (message.role !== 'tool') return [];
    const call = parent.answer?.toolCalls.find(({ id }) => id === message.callId);
    return [
      {
        kind: 'tool_result',
        ...common,
        callId: message.callId.slice(0, 500),
        toolName: (call?.name ?? message.name ?? '').slice(0, 500),
        isError: message.isError,
      },
    ];
  });
}

/** A UUID of version 8 (RFC 9562): made from its turn and its place after it. */
export function messageObservationId(parent: TurnId, position: number): ObservationId {
  const hex = createHash('sha256').update(`message\0${parent}\0${position}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return ObservationId.parse(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
  );
}

/** Errors stand at the end of an output and what was run at its beginning: the middle says least. */
function cutMiddle(text: string): string {
  if (text.length <= MAX_TEXT_CHARS) return text;
  const half = Math.floor((MAX_TEXT_CHARS - CUT_MARK.length) / 2);
  return `${text.slice(0, half)}${CUT_MARK}${text.slice(-half)}`;
}
