/**
 * How much of what lessons in a prompt bring about do the weights lack without them? Read off an answer that was given
 * with lessons: log pi(y | lessons) - log pi_v(y), nats a token, whose mean estimates KL(with lessons || version
 * without). A scoring, no generation.
 */
import type { Engine } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { plainTurn } from '../hindsight/plain-turn.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import type { Turn } from '../store/types.ts';

/**
 * What a version may lack of the lessons' effect, in nats a token: each token nine tenths as likely. Measured on the
 * built-in model with one lesson ("code only"): 0.26 to 0.76 without training, 0.12 and 0.35 after four steps on
 * answers that were not trained on, 0 to 0.03 on those that were.
 */
export const MARGIN_NATS = 0.1;

/** Is the answer nearly as likely under `version` without lessons as it was with them? Throws what the engine throws. */
export async function doesWithout(
  engine: Pick<Engine, 'score'>,
  turn: Turn,
  version: WeightVersion,
  prompt: Pick<ChatPrompt, 'ids' | 'tokenizer'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { response } = turn;
  if (response === null) return false;
  const { responseIds, behaviourLogprobs } = response;
  const { promptIds } = plainTurn({ turn, response }, prompt).turn;
  const { logprobs } = await engine.score({ promptIds, responseIds, version, topLogprobs: 0 }, signal);
  return mean(behaviourLogprobs) - mean(logprobs) <= MARGIN_NATS;
}

/** NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
