/**
 * Settlement, pure: the readings of a turn, and a judge's votes where these give no score, to its verdict; the
 * verdict to a sample. Reading observations is evidence/'s; when a turn is due, asking for votes and keeping the
 * result, is the loops'.
 */
import type { Reading } from '../evidence/reading.ts';
import { hintsOf } from '../hindsight/hints.ts';
import type { LearningConfig } from '../learning/config.ts';
import { heldBecause } from '../learning/hold.ts';
import { plurality } from '../learning/vote.ts';
import type { ObservationId, SampleId, TurnId } from '../protocol/ids.ts';
import type { HintCandidate, Sample, Score, Verdict, Vote } from '../store/types.ts';

/** A reading with the observation that it was taken from. */
export interface Observed {
  readonly reading: Reading;
  readonly observationId: ObservationId;
  readonly observedAtMs: number;
}

/** Why a turn is settled: something was observed (''), or it ended without a next state or a judge. */
export interface Due {
  readonly turnId: TurnId;
  readonly reason: string;
  readonly nowMs: number;
}

export interface Settled {
  readonly verdict: Verdict;
  /** Best first; the first is the verdict's. */
  readonly hints: readonly HintCandidate[];
}

/**
 * Next states that may be followed by votes when they give no score: what a user said, a program showed. What
 * was done with the text itself is never guessed at: a commit that git worded, an edit under way or put in a stash.
 */
const VOTED_ON: ReadonlySet<Reading['source']> = new Set([
  'user_reply',
  'patch_review',
  'terminal',
  'task',
  'test_run',
  'diagnostics',
  'tool_result',
  'screen',
]);

/** No reading gives a score, and a judge may say what they come to. */
export function wantsVotes(observed: readonly Observed[]): boolean {
  return (
    observed.every(({ reading }) => reading.score === null) &&
    observed.some(({ reading }) => VOTED_ON.has(reading.source))
  );
}

/**
 * The highest rank decides, among equals the latest observation; readings without a score never decide. When none
 * does, the plurality of `votes` does. Without votes the score is null and `decidedBy` names the reason:
 * `none:expired`, `none:cleared`, `none:judge_unavailable`, ..., or `none:no_score` when only readings without a
 * score are there.
 *
 * There are hints only when the score is -1: a thumb up says that the answer was right, so what the user then wrote
 * is no correction of it. The judge's are those of the votes that agree with the score.
 */
export function settle(observed: readonly Observed[], due: Due, votes: readonly Vote[]): Settled {
  const inTime = observed.toSorted((a, b) => a.observedAtMs - b.observedAtMs);
  const { score, decidedBy } = decisionOf(inTime, due, votes);
  const words = decidedBy === 'votes' ? votes.filter((vote) => vote.score === score) : [];
  const hints =
    score === -1
      ? hintsOf(
          inTime.map(({ reading }) => reading),
          words.flatMap((vote) => vote.hints),
        )
      : [];
  const [best] = hints;
  return {
    hints,
    verdict: {
      turnId: due.turnId,
      score,
      decidedBy,
      evidence: observed.map(({ reading, observationId }) => ({
        source: reading.source,
        observationId,
        score: reading.score,
        rank: reading.rank,
        detail: reading.detail,
      })),
      hint: best === undefined ? null : { kind: best.kind, text: best.text },
      decidedAtMs: due.nowMs,
    },
  };
}

/** `inTime`: in order of time. */
function decisionOf(
  inTime: readonly Observed[],
  due: Due,
  votes: readonly Vote[],
): { score: Score | null; decidedBy: string } {
  const deciding = inTime.reduce<Reading | null>((best, { reading }) => {
    if (reading.score === null) return best;
    return best === null || reading.rank >= best.rank ? reading : best;
  }, null);
  if (deciding !== null) return { score: deciding.score, decidedBy: `evidence:${deciding.source}` };
  if (votes.length > 0) return { score: plurality(votes.map((vote) => vote.score)), decidedBy: 'votes' };
  return { score: null, decidedBy: `none:${due.reason === '' ? 'no_score' : due.reason}` };
}

/**
 * The sample that follows from a verdict. None without a score, or with 0. Held, kept but not trained: an
 * accepted answer unless `trainOnAccepted`, and one that the configured method can learn nothing from; with the
 * reason. `degenerate`: what is wrong with the answer itself (learning/degenerate.ts), null for nothing.
 */
export function sampleOf(
  verdict: Verdict,
  settings: Pick<LearningConfig, 'method' | 'topK' | 'trainOnAccepted'>,
  made: { readonly sampleId: SampleId; readonly createdAtMs: number },
  degenerate: string | null,
): Sample | null {
  if (verdict.score === null || verdict.score === 0) return null;
  const held = heldBecause(settings, verdict, degenerate);
  return {
    ...made,
    turnId: verdict.turnId,
    score: verdict.score,
    hint: verdict.hint,
    state: held === null ? 'ready' : 'held',
    batchId: null,
    note: held,
  };
}
