/**
 * Measures a trained version against the one that serves: the log-probability of the user's own texts on earlier
 * turns, and the drift from the base on anchors. Which turns is held-out.ts, what follows is promote.ts.
 */
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { seedOf } from '../learning/random.ts';
import { versionNumber, type WeightVersion } from '../protocol/ids.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { Store } from '../store/store.ts';
import type { Anchor, Version } from '../store/version-types.ts';
import { bootstrapMean } from './bootstrap.ts';
import type { PromotionConfig } from './config.ts';
import { driftFromBase } from './drift.ts';
import { type OwnText, selectSlice } from './held-out.ts';
import { ownTextIds } from './own-text.ts';

export interface GateParts {
  store: Pick<Store, 'ownTexts' | 'anchors' | 'lineage'>;
  engine: Pick<Engine, 'score'>;
  serving: Serving;
  prompts: PromptSource;
  config: PromotionConfig;
  /** As the learner's settings say. */
  anchorsPerBatch: number;
}

/** Candidates a place in the slice: enough that long ones and the batch's own can be passed over. */
const CANDIDATES_PER_TURN = 4;
/** Nearly all probability lies on fewer ids; the engine contract allows at most 64. */
const DRIFT_TOP = 64;

export class Gate {
  readonly #parts: GateParts;
  /** Mean logprob of a text under a version. The version that is measured now is the one that serves next time. */
  readonly #means = new Map<string, number>();

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** The version must be loaded. Throws what the engine throws. */
  async measure(candidate: Version, signal: AbortSignal): Promise<GateFigures> {
    const { serving, config } = this.#parts;
    const beganMs = performance.now();
    const lease = await serving.acquire(signal);
    try {
      const work = new Scoring(this.#parts.engine, signal);
      const slice = await this.#slice(candidate, signal);
      // One version after the other: an engine may have room for the weights of one.
      const means = async (version: WeightVersion): Promise<number[]> => {
        const found: number[] = [];
        for (const one of slice) found.push(await this.#mean(work, version, one));
        return found;
      };
      const its = await means(candidate.version);
      const drift = await this.#drift(work, candidate.version);
      const before = await means(lease.version);
      const differences = its.map((mean, index) => mean - (before[index] ?? mean));
      this.#keepOnly([candidate.version, lease.version]);
      const interval = bootstrapMean(differences, config.confidence, versionNumber(candidate.version));
      const drifted = drift !== null && drift > config.maxDriftNats;
      return {
        turns: slice.length,
        heldOut: slice.filter(({ standing }) => standing === 'held-out').length,
        meanDifference: interval?.mean ?? null,
        lowerBound: interval?.low ?? null,
        confidence: config.confidence,
        margin: config.margin,
        driftNats: drift,
        // Asked for only where it decides: a version that comes nearer again may serve.
        servingDriftNats: drifted ? await this.#drift(work, lease.version, candidate.version) : null,
        maxDriftNats: config.maxDriftNats,
        scoredTokens: work.tokens,
        seconds: (performance.now() - beganMs) / 1000,
      };
    } finally {
      lease.release();
    }
  }

  /** None when there are too few to say anything. */
  async #slice(candidate: Version, signal: AbortSignal): Promise<OwnText[]> {
    const { store, prompts, config } = this.#parts;
    if (config.turns === 0) return [];
    const prompt = await prompts.get(signal);
    const lineage = new Set(store.lineage(candidate.version));
    const found = store.ownTexts(config.turns * CANDIDATES_PER_TURN, { sinceMs: 0 }).map((own): OwnText => {
      const inBatch = own.trainedBy.some(({ batchId }) => batchId === candidate.batchId);
      const learnt = own.trainedBy.some(({ version }) => lineage.has(version));
      const standing = inBatch ? 'in-batch' : learnt ? 'learnt-before' : 'held-out';
      return { turnId: own.turn.turnId, ...ownTextIds(own, prompt), standing };
    });
    const slice = selectSlice(found, config);
    return slice.length < config.minTurns ? [] : slice;
  }

  async #mean(work: Scoring, version: WeightVersion, one: OwnText): Promise<number> {
    const key = `${version} ${one.turnId} ${seedOf(one.textIds.join(' '))}`;
    const known = this.#means.get(key);
    if (known !== undefined) return known;
    const { logprobs } = await work.score(version, one.promptIds, one.textIds, 0);
    const mean = logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length;
    this.#means.set(key, mean);
    return mean;
  }

  #keepOnly(versions: readonly WeightVersion[]): void {
    for (const key of this.#means.keys())
      if (!versions.some((version) => key.startsWith(`${version} `))) this.#means.delete(key);
  }

  /** On the same anchors for both: those of `candidate`'s turn. Null without anchors. */
  async #drift(work: Scoring, version: WeightVersion, candidate = version): Promise<number | null> {
    const { store, config, anchorsPerBatch } = this.#parts;
    const count = { count: config.anchors, perBatch: anchorsPerBatch };
    const chosen = restingAnchors(store.anchors(), candidate, count);
    if (chosen.length === 0) return null;
    let sum = 0;
    for (const { promptIds, responseIds, baseTop } of chosen) {
      const { top } = await work.score(version, promptIds, responseIds, DRIFT_TOP);
      sum += driftFromBase(baseTop, top);
    }
    return sum / chosen.length;
  }
}

/** Batches take the anchors in turn; the next in turn were trained on longest ago, if at all. */
function restingAnchors(
  anchors: readonly Anchor[],
  version: WeightVersion,
  { count, perBatch }: { count: number; perBatch: number },
): Anchor[] {
  const first = (versionNumber(version) + 1) * perBatch;
  return Array.from(
    { length: Math.min(count, anchors.length) },
    (_, index) => anchors[(first + index) % anchors.length],
  ).flatMap((anchor) => anchor ?? []);
}

/** The engine's scores, and how many tokens they cost. */
class Scoring {
  readonly #engine: Pick<Engine, 'score'>;
  readonly #signal: AbortSignal;
  tokens = 0;

  constructor(engine: Pick<Engine, 'score'>, signal: AbortSignal) {
    this.#engine = engine;
    this.#signal = signal;
  }

  score(
    version: WeightVersion,
    promptIds: readonly number[],
    responseIds: readonly number[],
    topLogprobs: number,
  ) {
    this.tokens += promptIds.length + responseIds.length;
    return this.#engine.score({ promptIds, responseIds, version, topLogprobs }, this.#signal);
  }
}
