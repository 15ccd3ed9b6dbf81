/**
 * Two versions answer the same earlier requests of the user, greedily and without lessons: what the weights do by
 * themselves. No turn is made of it, so that nothing is stored and nothing learnt from it.
 */
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import { wholeAnswer } from '../engine/whole-answer.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { loraPath, type WeightVersion } from '../protocol/ids.ts';
import type { AnswerPair, SideBySideRequest } from '../protocol/promotion.ts';
import type { Store } from '../store/store.ts';
import type { StoredRequest } from '../store/version-types.ts';
import { standBack } from './stand-back.ts';

export interface SideBySideParts {
  store: Pick<Store, 'recentRequests' | 'lineage'>;
  engine: Pick<Engine, 'generate'>;
  serving: Serving;
  prompts: PromptSource;
  /** Does somebody wait for an answer? It stands back while it is so. */
  busy: () => boolean;
}

/** The newest requests among which held-out ones are looked for. */
const MAX_LOOKED_AT = 64;
const MAX_ANSWER_TOKENS = 256;
/** Of a request, for a person to recognise it. */
const SHOWN_CHARS = 600;
/** Beside two answers of at most 256 tokens. */
const MAX_WANTED_CHARS = 2_000;

export class SideBySide {
  readonly #parts: SideBySideParts;
  #running = false;

  constructor(parts: SideBySideParts) {
    this.#parts = parts;
  }

  /**
   * Some seconds an answer; one such request at a time. `onPair` hears of each request once both have answered it.
   * Throws `queue_full` while another runs, `invalid_request` where there is nothing to answer, `model_not_found` for
   * a version without weights, `aborted`, and what the engine throws.
   */
  async answer(
    request: SideBySideRequest,
    onPair: (pair: AnswerPair, total: number) => void,
    signal: AbortSignal,
  ): Promise<AnswerPair[]> {
    if (this.#running)
      throw new ApprenticeError('queue_full', 'Two versions are answering already.', 'Wait for their end.');
    this.#running = true;
    try {
      return await this.#answer(request, onPair, signal);
    } finally {
      this.#running = false;
    }
  }

  async #answer(
    { left, right, requests }: SideBySideRequest,
    onPair: (pair: AnswerPair, total: number) => void,
    signal: AbortSignal,
  ): Promise<AnswerPair[]> {
    const { store, prompts } = this.#parts;
    if (left === right)
      throw new ApprenticeError('invalid_request', `Both are ${left}.`, 'Choose two versions.');
    const learnt = new Set([...store.lineage(left), ...store.lineage(right)]);
    const heldOut = ({ trainedBy }: StoredRequest): boolean =>
      !trainedBy.some(({ version }) => learnt.has(version));
    const chosen = store
      .recentRequests(MAX_LOOKED_AT)
      .map((one) => ({ ...one, heldOut: heldOut(one) }))
      // A stable order: the newest stay first among those that are held out, and among the rest.
      .toSorted((a, b) => Number(b.heldOut) - Number(a.heldOut))
      .slice(0, requests);
    if (chosen.length === 0)
      throw new ApprenticeError(
        'invalid_request',
        'There is no request of yours to answer yet.',
        'Ask for a commit message or an edit, or work with an agent, and come back.',
      );
    const prompt = await prompts.get(signal);
    const pairs: AnswerPair[] = [];
    for (const { turn, wanted, heldOut } of chosen) {
      const ids = prompt.ids(turn.messages, turn.tools);
      const room = prompt.tokenizer.contextLength - ids.length;
      const text = (version: WeightVersion) => this.#text(version, ids, Math.max(1, room), signal);
      const asked = turn.messages.findLast(({ role }) => role !== 'assistant')?.content ?? '';
      const pair = {
        turnId: turn.turnId,
        request: asked.slice(0, SHOWN_CHARS),
        wanted: wanted?.slice(0, MAX_WANTED_CHARS) ?? null,
        heldOut,
        left: await text(left),
        right: await text(right),
      };
      pairs.push(pair);
      onPair(pair, chosen.length);
    }
    return pairs;
  }

  async #text(
    version: WeightVersion,
    promptIds: number[],
    roomTokens: number,
    signal: AbortSignal,
  ): Promise<string> {
    const { engine, serving, busy } = this.#parts;
    await standBack(busy, signal);
    const lease = await serving.acquire(signal, version);
    try {
      const request = {
        input_ids: promptIds,
        sampling_params: { max_new_tokens: Math.min(MAX_ANSWER_TOKENS, roomTokens), temperature: 0 },
        lora_path: loraPath(version),
      };
      return (await wholeAnswer(engine, request, signal)).text;
    } finally {
      lease.release();
    }
  }
}
