/** Reads `/v1/chat/completions`: body, headers and model name to a TurnRequest. Everything is checked here, once. */
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import { ChatCompletionRequest, type ChatMessage } from './openai-schema.ts';
import { type Header, json, parse, readHeaders, readModel } from './read-request.ts';
import type { TurnRequest } from './turn-runner.ts';

/** OpenAI's own default: what a client that says nothing expects. */
export const DEFAULT_TEMPERATURE = 1;

export interface ChatRequest {
  turn: TurnRequest;
  stream: boolean;
  includeUsage: boolean;
  logprobs: boolean;
}

/** Throws `invalid_json`, `invalid_request` naming each bad or unknown field, and `model_not_found`. */
export function readChatRequest(
  text: string,
  header: Header,
  known: (version: WeightVersion) => boolean,
): ChatRequest {
  const body = parse(ChatCompletionRequest, json(text, 'The body'), 'The request');
  const messages = plainMessages(body.messages);
  const tools = body.tool_choice === 'none' ? [] : readTools(body.tools ?? []);
  const maxNewTokens = body.max_completion_tokens ?? body.max_tokens ?? null;
  const logprobs = body.logprobs ?? false;
  if (!logprobs && body.top_logprobs)
    throw new ApprenticeError('invalid_request', 'top_logprobs needs logprobs.', 'Set logprobs to true.');
  return {
    turn: {
      ...readHeaders(header, { messages, tools, maxNewTokens }),
      messages,
      tools,
      calls: body.parallel_tool_calls === false ? 'one' : 'several',
      version: readModel(body.model, known),
      sampling: {
        maxNewTokens,
        temperature: body.temperature ?? DEFAULT_TEMPERATURE,
        topP: body.top_p ?? 1,
        topK: body.top_k ?? -1,
        stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
        seed: body.seed ?? null,
        topLogprobs: body.top_logprobs ?? 0,
      },
    },
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    logprobs,
  };
}

/** Parts joined, `developer` read as `system`. */
export function plainMessages(messages: readonly ChatMessage[]): PlainMessage[] {
  return messages.map(plainMessage);
}

function plainMessage(message: ChatMessage): PlainMessage {
  const content = joined(message.content ?? '');
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content };
    case 'user':
      return { role: 'user', content };
    case 'tool':
      return {
        role: 'tool',
        content,
        callId: message.tool_call_id,
        name: message.name ?? null,
        isError: null,
      };
    case 'assistant':
      return {
        role: 'assistant',
        content,
        ...(message.reasoning_content ? { reasoning: message.reasoning_content } : {}),
        ...(message.tool_calls?.length
          ? { toolCalls: message.tool_calls.map((call) => ({ id: call.id, ...call.function })) }
          : {}),
      };
  }
}

function joined(content: string | readonly { text: string }[]): string {
  return typeof content === 'string' ? content : content.map((part) => part.text).join('');
}

function readTools(tools: NonNullable<ChatCompletionRequest['tools']>): ToolDefinition[] {
  return tools.map(({ function: { name, description, parameters } }) => ({
    name,
    description: description ?? '',
    parameters: parameters ?? { type: 'object', properties: {} },
  }));
}
