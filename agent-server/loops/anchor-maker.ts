/** Makes anchors: the base's own greedy answers to unrelated prompts, with its top ids. Once a store. */
import type { Engine } from '../engine/engine.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { ANCHOR_PROMPTS } from '../learning/anchor-prompts.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';

/**
 * How an answer begins is what a correction of form changes for every prompt. Many short anchors hold it far better
 * than a few long ones: 8 of 10 tokens a batch let the policy drift less than half as far as 4 of 40.
 */
const ANCHOR_TOKENS = 10;
/** Nearly all of the base's probability lies on fewer ids than this. */
const ANCHOR_TOP = 16;

/** The first prompt without an anchor; undefined when all have one. Anchors are stored in the prompts' order. */
export function missingAnchor(store: Pick<Store, 'anchors'>): string | undefined {
  return ANCHOR_PROMPTS[store.anchors().length];
}

/** Answers a prompt with the base, scores the answer and stores it. Throws what the engine throws. */
export async function makeAnchor(
  parts: {
    store: Pick<Store, 'addAnchor'>;
    engine: Pick<Engine, 'generate' | 'score'>;
    prompts: PromptSource;
  },
  text: string,
  signal: AbortSignal,
): Promise<void> {
  const prompt = await parts.prompts.get(signal);
  const promptIds = prompt.ids([{ role: 'user', content: text }]);
  let responseIds: number[] = [];
  const sampling_params = { max_new_tokens: ANCHOR_TOKENS, temperature: 0 };
  for await (const answer of parts.engine.generate(
    { input_ids: promptIds, sampling_params, lora_path: null },
    signal,
  )) {
    responseIds = answer.output_ids;
  }
  if (responseIds.length === 0)
    throw new ApprenticeError(
      'internal',
      `The base answered nothing to the anchor prompt "${text}".`,
      'Set up the model again.',
    );
  const request = { promptIds, responseIds, version: BASE_VERSION, topLogprobs: ANCHOR_TOP };
  const { top } = await parts.engine.score(request, signal);
  parts.store.addAnchor({ promptIds, responseIds, baseTop: top });
}
