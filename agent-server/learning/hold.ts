/** Why a judged turn is kept and not trained. Decided once, when its sample is made; told with the sample. */
import type { LearningConfig } from './config.ts';
import { needsOf } from './sample-rows.ts';
import type { Judged, Unusable } from './terms.ts';

/**
 * One sentence for the panel, or null when the sample is ready: it was accepted and accepted answers are not
 * trained, its answer is degenerate and nothing else teaches, or the method can learn nothing from what is known.
 * `degenerate`: what degenerate.ts found.
 */
export function heldBecause(
  settings: Pick<LearningConfig, 'method' | 'topK' | 'trainOnAccepted'>,
  judged: Judged,
  degenerate: string | null,
): string | null {
  if (judged.score === 1 && !settings.trainOnAccepted) return 'The answer was right: no step is made of it.';
  const without = new Set<Unusable>(degenerate === null ? [] : ['response']);
  if (needsOf(settings, judged, without) !== null) return null;
  if (degenerate !== null) return degenerate;
  const known =
    judged.hint === null ? 'a score' : judged.hint.kind === 'words' ? 'a hint in words' : 'a rewrite';
  return `The method ${settings.method} learns nothing from ${known} alone.`;
}
