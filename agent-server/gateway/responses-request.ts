/** Reads OpenAI's `/v1/responses` to the same turns that `/v1/chat/completions` makes. */
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import { DEFAULT_TEMPERATURE } from './chat-request.ts';
import { type Header, json, parse, readHeaders, readModel } from './read-request.ts';
import { type InputItem, ResponsesRequest, type Tool } from './responses-schema.ts';
import type { TurnRequest } from './turn-runner.ts';

export interface ResponsesTurn {
  turn: TurnRequest;
  stream: boolean;
  /** Names of the tools whose input is any text. */
  customTools: ReadonlySet<string>;
  /** What a response repeats of its request. */
  echo: Readonly<Record<string, unknown>>;
}

type AssistantMessage = Extract<PlainMessage, { role: 'assistant' }>;

/** Throws as `readChatRequest` does. */
export function readResponsesRequest(
  text: string,
  header: Header,
  known: (version: WeightVersion) => boolean,
): ResponsesTurn {
  const raw = json(text, 'The body');
  const body = parse(ResponsesRequest, raw, 'The request');
  const messages = [
    ...(body.instructions ? [{ role: 'system' as const, content: body.instructions }] : []),
    ...(typeof body.input === 'string'
      ? [{ role: 'user' as const, content: body.input }]
      : plain(body.input)),
  ];
  const offered = body.tools ?? [];
  const tools = body.tool_choice === 'none' ? [] : offered.flatMap(definition);
  const maxNewTokens = body.max_output_tokens ?? null;
  const temperature = body.temperature ?? DEFAULT_TEMPERATURE;
  const topP = body.top_p ?? 1;
  return {
    turn: {
      ...readHeaders(header, { messages, tools, maxNewTokens }),
      messages,
      tools,
      calls: body.parallel_tool_calls === false ? 'one' : 'several',
      version: readModel(body.model, known),
      sampling: { maxNewTokens, temperature, topP, topK: -1, stop: [], seed: null, topLogprobs: 0 },
    },
    stream: body.stream ?? false,
    customTools: new Set(offered.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : []))),
    echo: {
      instructions: body.instructions ?? null,
      max_output_tokens: maxNewTokens,
      parallel_tool_calls: body.parallel_tool_calls ?? true,
      temperature,
      tool_choice: body.tool_choice ?? 'auto',
      tools: body.tools === undefined ? [] : ((raw as { tools?: unknown }).tools ?? []),
      top_p: topP,
    },
  };
}

/** Items of one answer (thoughts, text, calls) are one message, as the answer was when it was given. */
function plain(items: readonly InputItem[]): PlainMessage[] {
  const messages: PlainMessage[] = [];
  const answer = (): AssistantMessage => {
    const last = messages.at(-1);
    if (last?.role === 'assistant') return last;
    const made: AssistantMessage = { role: 'assistant', content: '' };
    messages.push(made);
    return made;
  };
  const call = (id: string, name: string, args: string): void => {
    const message = answer();
    message.toolCalls = [...(message.toolCalls ?? []), { id, name, arguments: args }];
  };
  for (const item of items) {
    if (item.type === 'function_call') call(item.call_id, item.name, item.arguments);
    else if (item.type === 'custom_tool_call')
      call(item.call_id, item.name, JSON.stringify({ input: item.input }));
    else if (item.type === 'reasoning') {
      const thought = joined(item.content ?? []);
      if (thought !== '') answer().reasoning = `${answer().reasoning ?? ''}${thought}`;
    } else if (item.type !== 'message') {
      messages.push({
        role: 'tool',
        content: joined(item.output),
        callId: item.call_id,
        name: null,
        isError: null,
      });
    } else if (item.role === 'assistant') answer().content += joined(item.content);
    else {
      const role = item.role === 'user' ? 'user' : 'system';
      messages.push({ role, content: joined(item.content) });
    }
  }
  return messages;
}

function definition(tool: Tool): ToolDefinition[] {
  if (tool.type === 'hosted') return [];
  const { name } = tool;
  if (tool.type === 'function') {
    const parameters = tool.parameters ?? { type: 'object', properties: {} };
    return [{ name, description: tool.description ?? '', parameters }];
  }
  const description = [tool.description, tool.format?.definition].filter(Boolean).join('\n');
  const parameters = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };
  return [{ name, description, parameters }];
}

function joined(text: string | readonly { text: string }[]): string {
  return typeof text === 'string' ? text : text.map((part) => part.text).join('');
}
