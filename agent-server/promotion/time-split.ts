/** Where the user's own turns are cut into those learnt from and those tested on. Pure. */
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, type WeightVersion } from '../protocol/ids.ts';
import type { Version } from '../store/version-types.ts';

/** With fewer turns after the split there is nothing to compare on. */
export const MIN_TEST_TURNS = 2;

/**
 * The given time, or the one that leaves half of `turns` (any order) after it. A turn belongs after the split when
 * it was asked later. Throws `invalid_request` when too few turns lie after it.
 */
export function splitTimeMs(turns: readonly { createdAtMs: number }[], wantedMs: number | null): number {
  const times = turns.map(({ createdAtMs }) => createdAtMs).sort((a, b) => a - b);
  const splitMs = wantedMs ?? times[Math.ceil(times.length / 2) - 1] ?? 0;
  const after = times.filter((time) => time > splitMs).length;
  if (after >= MIN_TEST_TURNS) return splitMs;
  throw new ApprenticeError(
    'invalid_request',
    wantedMs === null
      ? `There are ${times.length} turns that you corrected or accepted; a comparison takes ${2 * MIN_TEST_TURNS}.`
      : `Only ${after} turns that you corrected or accepted lie after ${new Date(splitMs).toISOString()}.`,
    'Work with it for a while longer, or choose an earlier time.',
  );
}

/**
 * The newest of `lineage` that was made by then: a version is made of what was there before it, so that this one
 * has learnt from nothing later, and nothing has to be trained for a comparison. The base where there is none.
 */
export function versionAt(lineage: readonly Version[], splitMs: number): WeightVersion {
  const made = lineage.filter(
    ({ createdAtMs, state, folder }) => createdAtMs <= splitMs && state !== 'failed' && folder !== null,
  );
  return (
    made.reduce<Version | null>(
      (newest, one) => (newest === null || one.createdAtMs >= newest.createdAtMs ? one : newest),
      null,
    )?.version ?? BASE_VERSION
  );
}
