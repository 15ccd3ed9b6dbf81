/** The OpenAI-compatible surface of the gateway: what of `/v1/chat/completions` is accepted and returned. */
import { z } from 'zod';

export const SESSION_HEADER = 'x-apprentice-session';
export const TURN_HEADER = 'x-apprentice-turn';
/** JSON of a TurnSubject, for clients that can say what the turn acts on. */
export const SUBJECT_HEADER = 'x-apprentice-subject';
/** Response headers. */
export const TURN_ID_HEADER = 'x-apprentice-turn-id';
export const VERSION_HEADER = 'x-apprentice-version';

export const TurnKind = z.enum(['main', 'side']);
export type TurnKind = z.infer<typeof TurnKind>;

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
export const ChatMessage = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(TextPart)]),
  name: z.string().optional(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

/** A call that the model made. `arguments` is the JSON text of an object. */
export const ToolCall = z.object({ id: z.string(), name: z.string(), arguments: z.string() });
export type ToolCall = z.infer<typeof ToolCall>;

/** A tool that the model may call. `parameters` is its JSON schema. */
export const ToolDefinition = z.object({
  name: z.string().min(1).max(200),
  description: z.string(),
  parameters: z.record(z.string(), z.unknown()),
});
export type ToolDefinition = z.infer<typeof ToolDefinition>;

/** A message after parsing, whichever API it came by: parts joined, `developer` read as `system`. */
export const PlainMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.string() }),
  z.object({ role: z.literal('user'), content: z.string() }),
  z.object({
    role: z.literal('assistant'),
    content: z.string(),
    reasoning: z.string().optional(),
    toolCalls: z.array(ToolCall).optional(),
  }),
  z.object({
    role: z.literal('tool'),
    content: z.string(),
    callId: z.string(),
    /** Null: the client does not say; the call with this id does. */
    name: z.string().nullable(),
    isError: z.boolean().nullable(),
  }),
]);
export type PlainMessage = z.infer<typeof PlainMessage>;

/** An answer taken apart: what is said, what was thought before, what is called. */
export const AnswerMessage = z.object({
  content: z.string(),
  reasoning: z.string(),
  toolCalls: z.array(ToolCall),
});
export type AnswerMessage = z.infer<typeof AnswerMessage>;

/** What a request, and with it a session, was taken for; all but `main` are side requests, never trained on. */
export const TakenFor = z.enum(['main', 'side', 'title', 'summary', 'topic', 'probe', 'helper']);
export type TakenFor = z.infer<typeof TakenFor>;

/** How a session was told from others: by its header, by its messages, or made by an editor's command. */
export const SessionOrigin = z.enum(['header', 'prefix', 'editor']);
export type SessionOrigin = z.infer<typeof SessionOrigin>;

export const ChatCompletionRequest = z.strictObject({
  model: z.string().min(1).max(200),
  messages: z.array(ChatMessage).min(1).max(1000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  seed: z.number().int().nullish(),
  n: z.literal(1).nullish(),
  user: z.string().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;
