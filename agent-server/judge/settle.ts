/**
 * Settlement, pure: the readings of a turn to its verdict, the verdict to a sample. Reading observations is
 * evidence/'s; when a turn is due, and keeping the result, is the judge loop's.
 */
import type { Reading } from '../evidence/reading.ts';
import { rewriteHint } from '../hindsight/hints.ts';
import type { LearningConfig } from '../learning/config.ts';
import { needsOf } from '../learning/sample-rows.ts';
import type { ObservationId, SampleId, TurnId } from '../protocol/ids.ts';
import type { Hint, Sample, Verdict } from '../store/types.ts';

/** A reading with the observation that it was taken from. */
export interface Observed {
  readonly reading: Reading;
  readonly observationId: ObservationId;
  readonly observedAtMs: number;
}

/** Why a turn is settled: something was observed (''), or it ended without a next state. */
export interface Due {
  readonly turnId: TurnId;
  readonly reason: string;
  readonly nowMs: number;
}

/**
 * The highest rank decides, among equals the latest observation; readings without a score never decide. When
 * nothing does, the score is null and `decidedBy` names the reason: `none:expired`, `none:cleared`,
 * `none:overwritten`, or `none:no_score` when only readings without a score are there.
 *
 * The hint is the rewrite of the latest commit that has a score, and only when the turn's score is -1: a thumb
 * up says that the answer was right, so what the user then wrote is no correction of it; a commit amended back to
 * the proposal takes its earlier rewrite back.
 */
export function settle(observed: readonly Observed[], due: Due): Verdict {
  const scored = observed
    .filter((one) => one.reading.score !== null)
    .sort((a, b) => a.observedAtMs - b.observedAtMs);
  const deciding = scored.reduce<Observed | null>(
    (best, one) => (best === null || one.reading.rank >= best.reading.rank ? one : best),
    null,
  );
  const none = due.reason === '' ? 'no_score' : due.reason;
  return {
    turnId: due.turnId,
    score: deciding?.reading.score ?? null,
    decidedBy: deciding === null ? `none:${none}` : `evidence:${deciding.reading.source}`,
    evidence: observed.map(({ reading, observationId }) => ({
      source: reading.source,
      observationId,
      score: reading.score,
      rank: reading.rank,
      detail: reading.detail,
    })),
    hint: deciding?.reading.score === -1 ? correction(scored) : null,
    decidedAtMs: due.nowMs,
  };
}

/** Next states that show the user's own wording. */
const WORDINGS: ReadonlySet<Reading['source']> = new Set(['commit', 'user_edit', 'patch_review']);

/** The user's last wording, when it differs from the proposal. `scored` is in order of time. */
function correction(scored: readonly Observed[]): Hint | null {
  const rewrite = scored.findLast(({ reading }) => WORDINGS.has(reading.source))?.reading.rewrite ?? null;
  return rewrite === null ? null : rewriteHint(rewrite);
}

/**
 * The sample that follows from a verdict. None without a score, or with 0. Held, kept but not trained: an
 * accepted answer unless `trainOnAccepted`, and one that the configured method can learn nothing from.
 */
export function sampleOf(
  verdict: Verdict,
  settings: Pick<LearningConfig, 'method' | 'topK' | 'trainOnAccepted'>,
  made: { readonly sampleId: SampleId; readonly createdAtMs: number },
): Sample | null {
  if (verdict.score === null || verdict.score === 0) return null;
  const wanted = verdict.score === -1 || settings.trainOnAccepted;
  return {
    ...made,
    turnId: verdict.turnId,
    score: verdict.score,
    hint: verdict.hint,
    state: wanted && needsOf(settings, verdict) !== null ? 'ready' : 'held',
    batchId: null,
  };
}
