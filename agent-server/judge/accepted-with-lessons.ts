/**
 * An answer that the user took as it was, given with lessons in the prompt, is just what the weights should say
 * without them: a demonstration that the user approved of, for the price of no teacher. Pure.
 */
import type { LearningConfig } from '../learning/config.ts';
import { termsOf } from '../learning/terms.ts';
import type { TurnId } from '../protocol/ids.ts';
import type { Sample, Turn } from '../store/types.ts';

/**
 * Half of the answers that are accepted with lessons are not trained on: by them it is seen whether the weights do
 * without (loops/lesson-checks.ts). Told by the id, which is random, so that it is decided once and for all.
 */
export function isKeptForChecks(turnId: TurnId): boolean {
  return Number.parseInt(turnId.slice(-1), 16) % 2 === 0;
}

/**
 * The sample with the accepted answer as its text, ready to be trained; as it was where there is nothing of the kind,
 * or by settings that learn nothing from a text.
 */
export function demonstrateAccepted(
  sample: Sample | null,
  turn: Turn | undefined,
  learning: Pick<LearningConfig, 'method' | 'demonstrateAccepted'>,
): Sample | null {
  if (learning.demonstrateAccepted === 'never') return sample;
  if (!termsOf(learning.method, { score: 1, hint: { kind: 'rewrite' } })?.demonstration) return sample;
  const response = turn?.response;
  if (sample === null || sample.score !== 1 || !turn || !response || turn.lessonIds.length === 0)
    return sample;
  if (response.finishReason !== 'stop' || isKeptForChecks(turn.turnId)) return sample;
  return { ...sample, hint: { kind: 'rewrite', text: response.text }, state: 'ready', note: null };
}
