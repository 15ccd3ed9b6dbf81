/** What the gateway and its clients share: headers, and messages, tools and answers in the one form inside. */
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
export const TakenFor = z.enum([
  'main',
  'side',
  'evaluation',
  'title',
  'summary',
  'topic',
  'probe',
  'helper',
]);
export type TakenFor = z.infer<typeof TakenFor>;

/**
 * What a client may say of its request. evaluation: answered as main work is, lessons included, and never learnt
 * from.
 */
export const TurnHeader = TakenFor.extract(['main', 'side', 'evaluation']);
export type TurnHeader = z.infer<typeof TurnHeader>;

/** How a session was told from others: by its header, by its messages, or made by an editor's command. */
export const SessionOrigin = z.enum(['header', 'prefix', 'editor']);
export type SessionOrigin = z.infer<typeof SessionOrigin>;
