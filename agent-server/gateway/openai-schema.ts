/**
 * What of OpenAI's `/v1/chat/completions` is taken. Of a field that we do nothing with there are two kinds: one that
 * cannot change what the answer means is ignored, one that would is refused by name unless it asks for nothing. A
 * field that nobody knows is refused, so that a misspelt one is not silently without effect.
 */
import { z } from 'zod';

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
const Text = z.union([z.string(), z.array(TextPart)]);
/** A refusal is an answer of words like any other. */
const AnswerPart = z.union([
  TextPart,
  z.object({ type: z.literal('refusal'), refusal: z.string() }).transform((part) => ({ text: part.refusal })),
]);
const Call = z.object({
  id: z.string().min(1).max(500),
  type: z.literal('function'),
  function: z.object({ name: z.string().min(1), arguments: z.string() }),
});

/** Fields of a message beyond these (name, annotations, cache_control, ...) change no prompt and are dropped. */
export const ChatMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: Text }),
  z.object({ role: z.literal('developer'), content: Text }),
  z.object({ role: z.literal('user'), content: Text }),
  z.object({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(AnswerPart)]).nullish(),
    reasoning_content: z.string().nullish(),
    tool_calls: z.array(Call).nullish(),
    function_call: z.null('the older form of tool calls is not supported; send tool_calls').nullish(),
  }),
  z.object({
    role: z.literal('tool'),
    content: Text,
    tool_call_id: z.string().max(500),
    name: z.string().nullish(),
  }),
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

const Tool = z.object({
  type: z.literal('function'),
  function: z.object({
    name: z.string().min(1).max(200),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
});

const ignored = z.unknown().optional();
/** Refused with the field's name unless it asks for nothing. */
const only = <const V extends string | number | boolean>(neutral: V) =>
  z.literal(neutral, `only ${JSON.stringify(neutral)} is supported`).nullish();

export const ChatCompletionRequest = z.strictObject({
  model: z.string().min(1).max(200),
  messages: z.array(ChatMessage).min(1).max(10_000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(-1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(8)]).nullish(),
  seed: z.number().int().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  tools: z.array(Tool).max(512).nullish(),
  tool_choice: z
    .enum(['auto', 'none'], 'a call cannot be forced: only "auto" and "none" are supported')
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),

  n: only(1),
  best_of: only(1),
  frequency_penalty: only(0),
  presence_penalty: only(0),
  repetition_penalty: only(1),
  min_p: only(0),
  logit_bias: z.strictObject({}, 'no bias is supported').nullish(),
  modalities: z.array(z.literal('text', 'only "text" is supported')).nullish(),
  response_format: z.object({ type: z.literal('text', 'only "text" is supported') }).nullish(),
  audio: z.null('audio is not supported').nullish(),
  functions: z.array(z.never()).max(0, 'the older form of tools is not supported; send tools').nullish(),
  function_call: z.literal(['auto', 'none'], 'the older form of tool_choice is not supported').nullish(),
  web_search_options: z.null('there is no web search').nullish(),

  // OpenAI's bookkeeping, caching and effort.
  user: ignored,
  store: ignored,
  metadata: ignored,
  service_tier: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
  prediction: ignored,
  moderation: ignored,
  reasoning_effort: ignored,
  verbosity: ignored,
  // What agents send to routers and local servers behind the same route.
  reasoning: ignored,
  include_reasoning: ignored,
  thinking: ignored,
  usage: ignored,
  provider: ignored,
  transforms: ignored,
  keep_alive: ignored,
  cache_prompt: ignored,
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;
