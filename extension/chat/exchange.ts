/** What an answer of `@apprentice` keeps with it in VS Code's chat, so that the next request repeats the conversation to the letter. */
import { type ChatContext, ChatResponseTurn } from 'vscode';
import { z } from 'zod';
import type { GatewayMessage } from './chat-stream.ts';

const Call = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
const Step = z.discriminatedUnion('role', [
  z.object({ role: z.literal('assistant'), content: z.string(), tool_calls: z.array(Call) }),
  z.object({ role: z.literal('tool'), content: z.string(), tool_call_id: z.string() }),
]);

export const Exchange = z.object({
  sessionId: z.string(),
  /** Of the last answer. */
  turnId: z.string(),
  asked: z.string(),
  /** Calls of tools and their results, in between. */
  steps: z.array(Step).default([]),
  /** '' when it did not come to one. */
  answer: z.string(),
});
export type Exchange = z.infer<typeof Exchange>;

/** Those of this chat. An answer that was cancelled or failed before anything was done is not part of what the model is shown. */
export function exchangesOf({ history }: ChatContext): Exchange[] {
  return history.flatMap((turn) =>
    turn instanceof ChatResponseTurn ? (Exchange.safeParse(turn.result.metadata).data ?? []) : [],
  );
}

export function messagesOf({ asked, steps, answer }: Exchange): GatewayMessage[] {
  const answered: GatewayMessage[] = answer === '' ? [] : [{ role: 'assistant', content: answer }];
  return [{ role: 'user', content: asked }, ...steps, ...answered];
}
