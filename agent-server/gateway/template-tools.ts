/** What a chat template says about tools, and messages and tools in the form that templates expect. Pure. */
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';
import type { ToolFormat } from './tool-call-parser.ts';
import { toolsAsText } from './tools-as-text.ts';

export interface TemplateTools {
  /** The template has a place for tools; without one they are told in words (tools-as-text.ts). */
  rendered: boolean;
  /** How the model writes its calls; null: in a way that is not ours to read. */
  format: ToolFormat | null;
  /** The template refuses a message with more than one call. */
  single: boolean;
}

/** Reads the template's own text: templates carry no other sign of what their model was taught. */
export function templateTools(template: string): TemplateTools {
  const rendered = /\btools\b/.test(template);
  return {
    rendered,
    format: rendered ? formatOf(template) : 'hermes',
    single: /single tool-calls?\b/i.test(template),
  };
}

function formatOf(template: string): ToolFormat | null {
  // Qwen3-Coder and GLM put XML, not JSON, between the same tags.
  if (template.includes('<tool_call>'))
    return template.includes('<function=') || template.includes('<arg_key>') ? null : 'hermes';
  return template.includes('<|python_tag|>') || template.includes('"parameters": dictionary')
    ? 'llama3'
    : null;
}

/** The variables of a template's request: `messages`, and `tools` where there are any and the template has a place. */
export function templateInput(
  { rendered }: TemplateTools,
  messages: readonly PlainMessage[],
  tools: readonly ToolDefinition[],
): { messages: Record<string, unknown>[]; tools?: Record<string, unknown>[] } {
  if (!rendered)
    return { messages: toolsAsText(messages, tools).map((message) => templateMessage(message, messages)) };
  const told = messages.map((message) => templateMessage(message, messages));
  if (tools.length === 0) return { messages: told };
  return { messages: told, tools: tools.map((tool) => ({ type: 'function', function: { ...tool } })) };
}

function templateMessage(message: PlainMessage, all: readonly PlainMessage[]): Record<string, unknown> {
  const { role, content } = message;
  if (message.role === 'tool') {
    const name = message.name ?? calledName(all, message.callId);
    return { role, content, tool_call_id: message.callId, ...(name === undefined ? {} : { name }) };
  }
  if (message.role !== 'assistant') return { role, content };
  const { reasoning = '', toolCalls = [] } = message;
  return {
    role,
    content,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map((call) => ({
            type: 'function',
            id: call.id,
            function: { name: call.name, arguments: argumentsOf(call.arguments) },
          })),
        }),
  };
}

function calledName(messages: readonly PlainMessage[], callId: string): string | undefined {
  for (const message of messages) {
    if (message.role !== 'assistant') continue;
    const call = message.toolCalls?.find(({ id }) => id === callId);
    if (call !== undefined) return call.name;
  }
  return undefined;
}

/** Templates take an object; a text that is none is shown as it is. */
function argumentsOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
