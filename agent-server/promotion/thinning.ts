/** Which versions keep their weights, where not all can: the newest, and ever fewer the older they are. Pure. */

/**
 * `numbers` of versions, ascending; returns those to drop so that `keep` are left. The newer half of these is always
 * the newest there are; of the rest, the one goes whose neighbours stand closest, so that what is left spreads over
 * all that was, and somebody who goes far back finds a version near. Throws nothing.
 */
export function numbersToDrop(numbers: readonly number[], keep: number): number[] {
  const kept = [...numbers];
  const newest = Math.ceil(keep / 2);
  const dropped: number[] = [];
  while (kept.length > keep) {
    const [place] = kept
      .slice(0, -newest)
      .map((number, index) => ({ index, gap: (kept[index + 1] ?? number) - (kept[index - 1] ?? 0) }))
      .toSorted((a, b) => a.gap - b.gap || a.index - b.index);
    if (place === undefined) break;
    dropped.push(...kept.splice(place.index, 1));
  }
  return dropped;
}
