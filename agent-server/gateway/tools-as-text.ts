/**
 * Tools for models whose chat template knows nothing of them: what may be called stands in the system's message,
 * calls and results in the messages themselves, all in Hermes' form, which is what models of that kind have seen most.
 * Whether a model makes use of it is another matter.
 */
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';

/** The same conversation in system, user and assistant messages alone. */
export function toolsAsText(
  messages: readonly PlainMessage[],
  tools: readonly ToolDefinition[],
): PlainMessage[] {
  const plain: PlainMessage[] = [];
  let results = false;
  for (const message of messages) {
    if (message.role === 'tool') {
      const result = `<tool_response>\n${message.content}\n</tool_response>`;
      addUserText(plain, result, results);
      results = true;
      continue;
    }
    // Templates often insist that user and assistant alternate.
    if (message.role === 'user' && results) addUserText(plain, message.content, true);
    else
      plain.push(message.role === 'assistant' ? { role: 'assistant', content: withCalls(message) } : message);
    results = false;
  }
  if (tools.length === 0) return plain;
  const [first, ...others] = plain;
  if (first?.role !== 'system') return [{ role: 'system', content: describe(tools) }, ...plain];
  return [{ role: 'system', content: `${first.content}\n\n${describe(tools)}` }, ...others];
}

function addUserText(plain: PlainMessage[], text: string, join: boolean): void {
  const last = plain.at(-1);
  if (join && last?.role === 'user')
    plain[plain.length - 1] = { role: 'user', content: `${last.content}\n${text}` };
  else plain.push({ role: 'user', content: text });
}

function withCalls(message: Extract<PlainMessage, { role: 'assistant' }>): string {
  const calls = (message.toolCalls ?? []).map(
    (call) =>
      `<tool_call>\n{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}\n</tool_call>`,
  );
  return [message.content, ...calls].filter((text) => text !== '').join('\n');
}

function describe(tools: readonly ToolDefinition[]): string {
  return [
    'You can call these functions. Each line is the JSON schema of one:',
    ...tools.map((tool) => JSON.stringify(tool)),
    'To call a function, answer with its name and arguments as JSON between tool_call tags, like this:',
    '<tool_call>\n{"name": "function", "arguments": {"argument": "value"}}\n</tool_call>',
  ].join('\n');
}
