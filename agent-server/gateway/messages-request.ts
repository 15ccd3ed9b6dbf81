/** Reads Anthropic's `/v1/messages` and `/v1/messages/count_tokens` to the same turns that OpenAI's route makes. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage, ToolCall, ToolDefinition } from '../protocol/gateway.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import {
  type AssistantBlock,
  CountTokensRequest,
  type Message,
  MessagesRequest,
  type UserBlock,
} from './anthropic-schema.ts';
import { DEFAULT_TEMPERATURE } from './chat-request.ts';
import { type Header, json, parse, readHeaders, readModel } from './read-request.ts';
import type { TurnRequest } from './turn-runner.ts';

export interface MessagesTurn {
  turn: TurnRequest;
  stream: boolean;
  /** Does the client want to see the reasoning? */
  thinking: 'shown' | 'hidden';
}

type Prompt = Pick<MessagesRequest, 'messages' | 'system' | 'tools' | 'tool_choice'>;

/** Throws as `readChatRequest` does, and `invalid_request` for an answer that is to be gone on with. */
export function readMessagesRequest(
  text: string,
  header: Header,
  known: (version: WeightVersion) => boolean,
): MessagesTurn {
  const body = parse(MessagesRequest, json(text, 'The body'), 'The request');
  const { messages, tools } = readPrompt(body);
  const thinking = body.thinking?.type;
  return {
    turn: {
      ...readHeaders(header, { messages, tools, maxNewTokens: body.max_tokens }),
      messages,
      tools,
      calls: body.tool_choice?.disable_parallel_tool_use ? 'one' : 'several',
      version: readModel(body.model, known),
      sampling: {
        maxNewTokens: body.max_tokens,
        temperature: body.temperature ?? DEFAULT_TEMPERATURE,
        topP: body.top_p ?? 1,
        topK: body.top_k ?? -1,
        stop: body.stop_sequences ?? [],
        seed: null,
        topLogprobs: 0,
      },
    },
    stream: body.stream ?? false,
    thinking: thinking === 'enabled' || thinking === 'adaptive' ? 'shown' : 'hidden',
  };
}

/** Throws as `readMessagesRequest` does. */
export function readCountTokens(
  text: string,
  known: (version: WeightVersion) => boolean,
): { messages: PlainMessage[]; tools: ToolDefinition[] } {
  const body = parse(CountTokensRequest, json(text, 'The body'), 'The request');
  readModel(body.model, known);
  return readPrompt(body);
}

function readPrompt(body: Prompt): { messages: PlainMessage[]; tools: ToolDefinition[] } {
  if (body.messages.at(-1)?.role === 'assistant')
    throw new ApprenticeError(
      'invalid_request',
      'The last message is the assistant’s: an answer cannot be begun for the model.',
      'End the messages with the user’s.',
    );
  const system = joined(body.system ?? '', '\n');
  const tools = body.tool_choice?.type === 'none' ? [] : (body.tools ?? []);
  return {
    messages: [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...body.messages.flatMap(plainMessages),
    ],
    tools: tools.map(({ name, description, input_schema }) => ({
      name,
      description: description ?? '',
      parameters: input_schema,
    })),
  };
}

function plainMessages(message: Message): PlainMessage[] {
  if (typeof message.content === 'string') return [{ role: message.role, content: message.content }];
  if (message.role === 'system') return [{ role: 'system', content: joined(message.content, '\n') }];
  return message.role === 'user' ? userMessages(message.content) : [assistantMessage(message.content)];
}

/** Results of tools are messages of their own; texts between them stay together and in their order. */
function userMessages(blocks: readonly UserBlock[]): PlainMessage[] {
  const messages: PlainMessage[] = [];
  for (const block of blocks) {
    const last = messages.at(-1);
    if (block.type === 'tool_result') {
      const content = joined(block.content ?? '', '\n');
      const isError = block.is_error ?? null;
      messages.push({ role: 'tool', content, callId: block.tool_use_id, name: null, isError });
    } else if (last?.role === 'user') last.content += `\n${block.text}`;
    else messages.push({ role: 'user', content: block.text });
  }
  return messages.length === 0 ? [{ role: 'user', content: '' }] : messages;
}

function assistantMessage(blocks: readonly AssistantBlock[]): PlainMessage {
  let content = '';
  let reasoning = '';
  const toolCalls: ToolCall[] = [];
  for (const block of blocks) {
    if (block.type === 'text') content += block.text;
    else if (block.type === 'thinking') reasoning += block.thinking;
    else if (block.type === 'tool_use')
      toolCalls.push({ id: block.id, name: block.name, arguments: JSON.stringify(block.input) });
  }
  return {
    role: 'assistant',
    content,
    ...(reasoning === '' ? {} : { reasoning }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  };
}

function joined(text: string | readonly { text: string }[], separator: string): string {
  return typeof text === 'string' ? text : text.map((block) => block.text).join(separator);
}
