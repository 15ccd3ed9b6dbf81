/** A stored turn with its next states as the plain text that a judge is shown. All of it is untrusted. */
import type { PlainMessage, ToolCall } from '../protocol/gateway.ts';
import type { NextState, Turn } from '../store/types.ts';
import { nextStateText } from './next-state-text.ts';
import type { JudgedTurn } from './prompt.ts';

/** Messages before the request that a judge is shown, so that "do it again" is understood. */
const EARLIER_MESSAGES = 6;

export function judgedTurn(
  turn: Pick<Turn, 'messages' | 'response' | 'answer'>,
  nextStates: readonly Pick<NextState, 'observation'>[],
): JudgedTurn {
  const calls = (turn.answer?.toolCalls ?? []).map(callText);
  const said = turn.answer?.content ?? turn.response?.text ?? '';
  return {
    request: requestText(turn.messages),
    action: [said, ...calls].filter((part) => part !== '').join('\n'),
    nextState: nextStates.map(({ observation }) => nextStateText(observation)).join('\n\n'),
  };
}

/** The last messages, roles named; the rules that a system message sets stay out: they are the agent's, and long. */
function requestText(messages: readonly PlainMessage[]): string {
  return messages
    .filter(({ role }) => role !== 'system')
    .slice(-EARLIER_MESSAGES)
    .map(
      (message) =>
        `${message.role}: ${[message.content, ...callsOf(message).map(callText)].filter(Boolean).join('\n')}`,
    )
    .join('\n');
}

function callsOf(message: PlainMessage): readonly ToolCall[] {
  return message.role === 'assistant' ? (message.toolCalls ?? []) : [];
}

function callText({ name, arguments: given }: ToolCall): string {
  return `calls ${name}(${given})`;
}
