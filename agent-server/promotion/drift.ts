/** How far a version has moved from the base where nothing was asked to change. Pure. */
import { floorOf, listed, type TopList } from '../learning/scored.ts';

/**
 * Mean over positions of KL(base || version), nats. Per position the ids of the base's list count one by one and
 * all others together as one event, which makes it a lower bound of the full KL (data processing) that is close
 * where the list holds nearly all of the base's probability. An id that the version's own list lacks is taken
 * at that list's smallest probability, its upper bound, and again the result is a lower bound. Lists: best first;
 * both hold a list a position.
 */
export function driftFromBase(base: readonly TopList[], version: readonly TopList[]): number {
  const positions = base.map((baseList, position) => klAt(baseList, version[position] ?? []));
  return positions.reduce((sum, nats) => sum + nats, 0) / Math.max(1, positions.length);
}

function klAt(base: TopList, version: TopList): number {
  const floor = floorOf(version);
  let nats = 0;
  let baseMass = 0;
  let versionMass = 0;
  for (const [baseLogprob, id] of base) {
    const versionLogprob = listed(version, id) ?? floor;
    const probability = Math.exp(baseLogprob);
    nats += probability * (baseLogprob - versionLogprob);
    baseMass += probability;
    versionMass += Math.exp(versionLogprob);
  }
  const baseRest = Math.max(0, 1 - baseMass);
  // Floors are upper bounds, so that the masses may add up to more than 1.
  const versionRest = Math.max(1e-9, 1 - versionMass);
  if (baseRest > 1e-9) nats += baseRest * Math.log(baseRest / versionRest);
  return Math.max(0, nats);
}
