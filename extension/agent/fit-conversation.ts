/** Makes a conversation fit the model's context: what tools returned long ago goes first. Pure. */
import type { GatewayMessage } from '../chat/chat-stream.ts';

/** Of code, on the safe side. */
export const CHARS_A_TOKEN = 3;

const LEFT_OUT = '(left out: this was long ago. Call the tool again if you need it.)';
/** Results that always stay: the model is at work with them. */
const KEPT_RESULTS = 2;
/** Left out together: in between each prompt extends the one before it, and the engine's cache of that serves it. */
const LEFT_OUT_AT_ONCE = 4;

/**
 * `messages` within `maxChars` where that can be had by leaving out results of tools, the oldest first, and then whole
 * exchanges from the beginning; the first message (the system's) and everything from the last request on stay.
 */
export function fitConversation(messages: readonly GatewayMessage[], maxChars: number): GatewayMessage[] {
  const fitted = [...messages];
  let chars = fitted.reduce((sum, message) => sum + charsOf(message), 0);
  const results = fitted.flatMap(({ role }, index) => (role === 'tool' ? [index] : []));
  for (const [order, index] of results.slice(0, -KEPT_RESULTS).entries()) {
    if (chars <= maxChars && order % LEFT_OUT_AT_ONCE === 0) return fitted;
    const message = fitted[index];
    if (message === undefined || message.content.length <= LEFT_OUT.length) continue;
    chars -= message.content.length - LEFT_OUT.length;
    fitted[index] = { ...message, content: LEFT_OUT };
  }
  while (chars > maxChars) {
    const next = fitted.findIndex(({ role }, index) => index > 1 && role === 'user');
    if (next < 0) break;
    for (const gone of fitted.splice(1, next - 1)) chars -= charsOf(gone);
  }
  return fitted;
}

function charsOf(message: GatewayMessage): number {
  const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : [];
  return calls.reduce(
    (sum, { function: called }) => sum + called.name.length + called.arguments.length,
    message.content.length,
  );
}
