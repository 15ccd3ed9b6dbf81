/** Seeded randomness as an argument: the same seed gives the same permutation on every machine. */

/** Uniform in [0, 1). */
export type Random = () => number;

/** Mulberry32: 32 bits of state, enough to shuffle a response; not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed from a name (FNV-1a over UTF-16 units), so that a batch built again after a crash is the same. */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A uniform permutation of 0..n-1 (Fisher-Yates). */
export function permutation(n: number, random: Random): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [order[i] ?? i, order[j] ?? j];
    order[i] = b;
    order[j] = a;
  }
  return order;
}

/** `items` in the given order; indices outside are an error of the caller and are left out. */
export function reorder<T>(items: readonly T[], order: readonly number[]): T[] {
  return order.flatMap((i) => items.slice(i, i + 1));
}
