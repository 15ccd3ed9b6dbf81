/**
 * Logits of a decoded batch, read without bringing a vocabulary over into JavaScript: logprobs of tokens, the most likely
 * ones, and a token drawn. Logprobs are natural logs at temperature 1, however a token was drawn.
 */
import { createHash } from 'node:crypto';
import type { Addon, AddonContext, AddonModel, AddonSampler } from './addon.ts';

/** `[logprob, id]`, best first. */
export type TopList = [number, number][];

export interface Draw {
  temperature: number;
  /** -1: all. */
  topK: number;
  topP: number;
}

/** Few answers need more of the distribution's head than this; then eight times as much is read. */
const FIRST_HEAD = 64;
const HEAD_GROWTH = 8;

export class LogitReader {
  readonly #context: AddonContext;
  readonly #vocabulary: number;
  /** Changes nothing, and chooses the largest. */
  readonly #greedy: AddonSampler;
  /** Leaves the largest ones, sorted. */
  readonly #head: AddonSampler;
  /** Divides by a temperature. */
  readonly #tempered: AddonSampler;

  constructor(addon: Addon, model: AddonModel, context: AddonContext, vocabulary: number) {
    this.#context = context;
    this.#vocabulary = vocabulary;
    [this.#greedy, this.#head, this.#tempered] = [
      new addon.AddonSampler(model),
      new addon.AddonSampler(model),
      new addon.AddonSampler(model),
    ];
    this.#greedy.applyConfig({});
  }

  /** Of the row's logits: the best token, and log p of each of `ids`. */
  async scan(
    row: number,
    ids: readonly number[],
  ): Promise<{ best: number; logprobs: number[]; logSum: number }> {
    const [best, , , pairs = [], total = Number.NaN] = await this.#context.sampleToken(
      row,
      this.#greedy,
      false,
      false,
      [ids, false, false, true, 0],
      true,
    );
    const logits = new Map<number, number>();
    for (let at = 0; at < pairs.length; at += 2) logits.set(pairs[at] ?? -1, pairs[at + 1] ?? Number.NaN);
    const logSum = (logits.get(best) ?? Number.NaN) + Math.log(total);
    return { best, logSum, logprobs: ids.map((id) => (logits.get(id) ?? Number.NaN) - logSum) };
  }

  /** The `count` most likely tokens; `logSum` of the same row. */
  async top(row: number, count: number, logSum: number): Promise<TopList> {
    return (await this.#largest(row, count)).map(([logit, id]) => [logit - logSum, id]);
  }

  /**
   * One token: temperature first, then the top k, then the smallest set that holds `topP`. `uniform` in [0, 1) decides,
   * along the tokens from the most likely on, so that the same number gives the same token.
   */
  async draw(row: number, { temperature, topK, topP }: Draw, uniform: number): Promise<number> {
    if (temperature === 0) return (await this.scan(row, [])).best;
    const limited = topK > 0 && topK < this.#vocabulary;
    const all = limited ? null : await this.#temperedSum(row, temperature);
    for (let count = limited ? topK : FIRST_HEAD; ; count *= HEAD_GROWTH) {
      const head = await this.#largest(row, Math.min(count, this.#vocabulary));
      const whole = limited || head.length >= this.#vocabulary;
      const largest = head[0]?.[0] ?? 0;
      const weights = head.map(([logit]) => Math.exp((logit - largest) / temperature));
      const chosen = choose(weights, all ?? sum(weights), topP, uniform, whole);
      const token = chosen === null ? undefined : head[chosen]?.[1];
      if (token !== undefined) return token;
    }
  }

  /** The sum over the vocabulary of exp((logit - largest) / temperature). */
  async #temperedSum(row: number, temperature: number): Promise<number> {
    this.#tempered.applyConfig({ temperature });
    const [, , , , total = Number.NaN] = await this.#context.sampleToken(
      row,
      this.#tempered,
      false,
      false,
      [[], false, false, false, 0],
      true,
    );
    return total;
  }

  /** `[logit, id]` of the largest, best first. */
  async #largest(row: number, count: number): Promise<[number, number][]> {
    this.#head.applyConfig({ temperature: 1, topK: count });
    const [, , , pairs = []] = await this.#context.sampleToken(
      row,
      this.#head,
      false,
      false,
      [[], false, false, false, count],
      false,
    );
    return Array.from({ length: pairs.length / 2 }, (_, index) => [
      pairs[index * 2 + 1] ?? Number.NaN,
      pairs[index * 2] ?? -1,
    ]);
  }
}

/**
 * The index that `uniform` falls on among the weights (best first, of `total` in all) that belong to the smallest set that
 * holds `topP`; null where more of them have to be known. `whole`: there are no more.
 */
export function choose(
  weights: readonly number[],
  total: number,
  topP: number,
  uniform: number,
  whole: boolean,
): number | null {
  // A token stays while what stands before it has not reached top_p yet, so the first always stays.
  let kept = total;
  let end = weights.length;
  if (topP < 1) {
    kept = 0;
    end = weights.findIndex((weight) => {
      if (kept >= topP * total) return true;
      kept += weight;
      return false;
    });
    if (end < 0) {
      if (!whole && kept < topP * total) return null;
      end = weights.length;
    }
  }
  let passed = 0;
  for (let index = 0; index < end; index += 1) {
    passed += weights[index] ?? 0;
    if (passed > uniform * kept) return index;
  }
  // Rounding at the far end of everything that there is.
  return whole || topP < 1 ? end - 1 : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Numbers in [0, 1), the same for a seed on every machine. */
export function uniforms(seed: number): () => number {
  let drawn = 0;
  return () => {
    const digest = createHash('sha256').update(`${seed}:${drawn++}`).digest();
    return digest.readUInt32BE() / 2 ** 32;
  };
}
