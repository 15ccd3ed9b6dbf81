/** Which earlier samples a batch trains again. Pure over a list: the store says what has been trained. */

/**
 * `count` of `earlier` (newest first): the newest half of them, because the newest correction is least
 * learnt, and the rest spread evenly over all that is older, so that no taste is forgotten. The list moves
 * by one with every step, so the spread visits different samples each time. All of them when there are fewer.
 */
export function pickReplay<T>(earlier: readonly T[], count: number): T[] {
  if (earlier.length <= count) return [...earlier];
  const fresh = Math.ceil(count / 2);
  const older = earlier.slice(fresh);
  const spread = count - fresh;
  const picked = Array.from({ length: spread }, (_, i) => Math.floor(((i + 0.5) * older.length) / spread));
  return [...earlier.slice(0, fresh), ...picked.flatMap((i) => older.slice(i, i + 1))];
}
