/**
 * May a trained version serve? For now only what shows a broken step: numbers out of bounds, an adapter that does
 * not load or does not answer. Whether it is better for the user is not asked here; the curve of first answers
 * accepted shows it.
 */
import type { Engine } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { loraPath, type WeightVersion } from '../protocol/ids.ts';
import type { TrainMetrics } from '../protocol/training.ts';

/** Before clipping. A step of this size comes of a batch whose numbers are wrong, not of a strong correction. */
export const MAX_GRAD_NORM = 1_000;
/**
 * Nats a token, either way: the policy's own tokens made less likely, or a rewrite made more likely. Uniform over
 * a vocabulary of 49,152 is 10.8 nats from any token; a step that moves half of that has broken the model.
 */
export const MAX_KL_TO_PARENT = 5;

export type Verdict = { promoted: true; reason: string } | { promoted: false; reason: string };

/** Judges a step by its numbers alone. Pure. */
export function judgeMetrics(metrics: TrainMetrics): Verdict {
  const { loss, gradNorm, klToParent } = metrics;
  if (![loss, gradNorm, klToParent].every(Number.isFinite))
    return {
      promoted: false,
      reason: `not finite: loss ${loss}, gradient norm ${gradNorm}, KL ${klToParent}`,
    };
  if (gradNorm > MAX_GRAD_NORM)
    return { promoted: false, reason: `gradient norm ${gradNorm.toFixed(1)} is over ${MAX_GRAD_NORM}` };
  if (Math.abs(klToParent) > MAX_KL_TO_PARENT)
    return {
      promoted: false,
      reason: `KL to its parent ${klToParent.toFixed(2)} is beyond ${MAX_KL_TO_PARENT} nats a token`,
    };
  const figures = `gradient norm ${gradNorm.toFixed(2)}, KL to its parent ${klToParent.toFixed(3)} nats a token`;
  return { promoted: true, reason: `${figures}; loads and answers` };
}

/** Has a loaded version answer one token. Throws what the engine throws, `adapter_invalid` for a silent one. */
export async function probe(
  engine: Pick<Engine, 'generate'>,
  version: WeightVersion,
  prompt: ChatPrompt,
  signal: AbortSignal,
): Promise<void> {
  const request = {
    input_ids: prompt.ids([{ role: 'user', content: 'Hello' }]),
    sampling_params: { max_new_tokens: 1, temperature: 0 },
    return_logprob: true,
    lora_path: loraPath(version),
  };
  let logprob: number | null | undefined;
  for await (const answer of engine.generate(request, signal)) {
    logprob = answer.meta_info.output_token_logprobs?.[0]?.[0];
  }
  if (typeof logprob === 'number' && Number.isFinite(logprob)) return;
  throw new ApprenticeError(
    'adapter_invalid',
    `${version} gives no probability to its own answer.`,
    'It stays unserved.',
  );
}
