/**
 * What of Anthropic's `/v1/messages` is taken, by the same rule as OpenAI's (openai-schema.ts): what cannot change
 * what the answer means is ignored, what would is refused by name, and so is what nobody knows.
 */
import { z } from 'zod';

const TextBlock = z.object({ type: z.literal('text'), text: z.string() });
const Text = z.union([z.string(), z.array(TextBlock)]);

const ToolUse = z.object({
  type: z.literal('tool_use'),
  id: z.string().min(1).max(500),
  name: z.string().min(1),
  input: z.record(z.string(), z.unknown()),
});
const ToolResult = z.object({
  type: z.literal('tool_result'),
  tool_use_id: z.string().max(500),
  content: Text.nullish(),
  is_error: z.boolean().nullish(),
});
const Thinking = z.object({ type: z.literal('thinking'), thinking: z.string() });
const RedactedThinking = z.object({ type: z.literal('redacted_thinking') });

const UserBlock = z.discriminatedUnion('type', [TextBlock, ToolResult], 'only text and tool_result are read');
const AssistantBlock = z.discriminatedUnion(
  'type',
  [TextBlock, ToolUse, Thinking, RedactedThinking],
  'only text, tool_use and thinking are read',
);
export type UserBlock = z.infer<typeof UserBlock>;
export type AssistantBlock = z.infer<typeof AssistantBlock>;

export const Message = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: z.union([z.string(), z.array(UserBlock)]) }),
  z.object({ role: z.literal('assistant'), content: z.union([z.string(), z.array(AssistantBlock)]) }),
  z.object({ role: z.literal('system'), content: Text }),
]);
export type Message = z.infer<typeof Message>;

const Tool = z.object({
  type: z.literal('custom', 'only tools that the client runs itself are supported').nullish(),
  name: z.string().min(1).max(200),
  description: z.string().nullish(),
  input_schema: z.record(z.string(), z.unknown()),
});
const ToolChoice = z.object({
  type: z.enum(['auto', 'none'], 'a call cannot be forced: only "auto" and "none" are supported'),
  disable_parallel_tool_use: z.boolean().nullish(),
});

const ignored = z.unknown().optional();

/** What `count_tokens` takes as well. */
const prompt = {
  model: z.string().min(1).max(200),
  messages: z.array(Message).min(1).max(10_000),
  system: Text.nullish(),
  tools: z.array(Tool).max(512).nullish(),
  tool_choice: ToolChoice.nullish(),
  thinking: z.object({ type: z.enum(['enabled', 'adaptive', 'disabled']) }).nullish(),

  output_config: z.object({ format: z.null('only text is supported').nullish() }).nullish(),
  output_format: z.null('only text is supported').nullish(),
  mcp_servers: z.array(z.never()).max(0, 'servers are not called from here').nullish(),

  cache_control: ignored,
  context_management: ignored,
  speed: ignored,
  betas: ignored,
  user_profile_id: ignored,
  workspace_id: ignored,
};

export const CountTokensRequest = z.strictObject(prompt);

export const MessagesRequest = z.strictObject({
  ...prompt,
  max_tokens: z.number().int().positive(),
  stream: z.boolean().nullish(),
  stop_sequences: z.array(z.string()).max(8).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(-1).nullish(),
  container: z.null('containers are not supported').nullish(),

  metadata: ignored,
  service_tier: ignored,
  inference_geo: ignored,
  diagnostics: ignored,
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;
