/**
 * What of OpenAI's `/v1/responses` is taken, by the same rule as `/v1/chat/completions` (openai-schema.ts): what
 * cannot change what the answer means is ignored, what would is refused by name, and so is what nobody knows. Tools
 * that OpenAI's own servers would run are left out: agents offer them unasked, and a model that does not see them
 * cannot call them.
 */
import { z } from 'zod';

const TextPart = z.object({ type: z.enum(['input_text', 'output_text']), text: z.string() });
const RefusalPart = z
  .object({ type: z.literal('refusal'), refusal: z.string() })
  .transform((part) => ({ text: part.refusal }));
const Text = z.union([z.string(), z.array(z.union([TextPart, RefusalPart]))], 'only text is read');
const CallId = z.string().min(1).max(500);

const Message = z.object({
  type: z.literal('message'),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: Text,
});
const Reasoning = z.object({
  type: z.literal('reasoning'),
  content: z.array(z.object({ text: z.string() })).nullish(),
});
const FunctionCall = z.object({
  type: z.literal('function_call'),
  call_id: CallId,
  name: z.string().min(1),
  arguments: z.string(),
});
const CustomCall = z.object({
  type: z.literal('custom_tool_call'),
  call_id: CallId,
  name: z.string().min(1),
  input: z.string(),
});
const CallOutput = z.object({
  type: z.enum(['function_call_output', 'custom_tool_call_output']),
  call_id: CallId,
  output: Text,
});

/** A message may come without its type. */
const InputItem = z.preprocess(
  (item) =>
    typeof item === 'object' && item !== null && !('type' in item) ? { ...item, type: 'message' } : item,
  z.discriminatedUnion('type', [Message, Reasoning, FunctionCall, CustomCall, CallOutput]),
);
export type InputItem = z.infer<typeof InputItem>;

const FunctionTool = z.object({
  type: z.literal('function'),
  name: z.string().min(1).max(200),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
});
/** Its input is any text. A grammar it may have is told to the model and not enforced. */
const CustomTool = z.object({
  type: z.literal('custom'),
  name: z.string().min(1).max(200),
  description: z.string().nullish(),
  format: z.object({ definition: z.string().optional() }).nullish(),
});
const HostedTool = z.looseObject({ type: z.string() }).transform(() => ({ type: 'hosted' as const }));
const Tool = z.union([FunctionTool, CustomTool, HostedTool]);
export type Tool = z.infer<typeof Tool>;

const ignored = z.unknown().optional();
const absent = (why: string) => z.null(why).nullish();

export const ResponsesRequest = z.strictObject({
  model: z.string().min(1).max(200),
  input: z.union([z.string(), z.array(InputItem).min(1).max(10_000)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  max_output_tokens: z.number().int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  tools: z.array(Tool).max(512).nullish(),
  tool_choice: z
    .enum(['auto', 'none'], 'a call cannot be forced: only "auto" and "none" are supported')
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z
    .looseObject({ format: z.object({ type: z.literal('text', 'only "text" is supported') }).nullish() })
    .nullish(),
  top_logprobs: z.literal(0, 'no log-probabilities are told here; /v1/chat/completions tells them').nullish(),

  previous_response_id: absent('answers are not kept for clients: send the whole conversation as input'),
  conversation: absent('answers are not kept for clients: send the whole conversation as input'),
  prompt: absent('there are no stored prompts'),
  background: z.literal(false, 'an answer is given at once or not at all').nullish(),

  // Bookkeeping, caching and effort.
  store: ignored,
  metadata: ignored,
  client_metadata: ignored,
  user: ignored,
  safety_identifier: ignored,
  service_tier: ignored,
  include: ignored,
  reasoning: ignored,
  truncation: ignored,
  stream_options: ignored,
  max_tool_calls: ignored,
  context_management: ignored,
  moderation: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
});
export type ResponsesRequest = z.infer<typeof ResponsesRequest>;
