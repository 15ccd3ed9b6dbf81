/**
 * A turn as the weights are to learn it: asked without the lessons that stood in its prompt, so that they learn to do
 * without. What was sent, with its exact logprobs, stays in the store.
 */
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';
import type { Turn, TurnResponse } from '../store/types.ts';

export interface AnsweredTurn {
  turn: Turn;
  response: TurnResponse;
}

/**
 * The turn itself where no lesson stood in its prompt. Else the prompt of its messages alone; the behaviour logprobs
 * are then unknown (NaN), as the answer was never generated after that prompt.
 */
export function plainTurn<T extends AnsweredTurn>(
  of: T,
  prompt: { ids(messages: readonly PlainMessage[], tools: readonly ToolDefinition[]): number[] },
): T {
  if (of.turn.lessonIds.length === 0) return of;
  const promptIds = prompt.ids(of.turn.messages, of.turn.tools);
  const behaviourLogprobs = of.response.responseIds.map(() => Number.NaN);
  return { ...of, turn: { ...of.turn, promptIds }, response: { ...of.response, behaviourLogprobs } };
}
