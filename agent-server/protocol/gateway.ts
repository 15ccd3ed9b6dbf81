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

/** A message after parsing: parts joined, `developer` read as `system`. */
export interface PlainMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

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
