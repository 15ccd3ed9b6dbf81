/**
 * May a trained version serve? Pure rules over what was measured: the step's own numbers, then the figures of the
 * gate. And the one question to the engine that comes before all: does the version answer at all?
 */
import type { Engine } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { type GuardRails, stepFault } from '../learning/guard-rails.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { loraPath, type WeightVersion } from '../protocol/ids.ts';
import type { GateFigures } from '../protocol/promotion.ts';
import type { TrainMetrics } from '../protocol/training.ts';

export type Verdict = { promoted: true; reason: string } | { promoted: false; reason: string };

/** Judges a step by its numbers alone (learning/guard-rails.ts). Pure. */
export function judgeMetrics(metrics: TrainMetrics, limits: GuardRails): Verdict {
  const fault = stepFault(metrics, limits);
  if (fault !== null) return { promoted: false, reason: fault };
  const { gradNorm, logprobFall } = metrics;
  const figures = `gradient norm ${gradNorm.toFixed(2)}, ${likelier(logprobFall)}`;
  return { promoted: true, reason: `${figures}; loads and answers` };
}

/**
 * Judges what the gate measured. Worse: the lower bound of the mean difference on the user's own texts is below
 * -margin. Drifted: further from the base than the limit, and than the version that serves, so that a way back is
 * never closed. Where too little is known to compare, soundness and drift decide alone, and the reason says so.
 */
export function judgeFigures(figures: GateFigures): Verdict {
  const { turns, heldOut, meanDifference, lowerBound, margin, driftNats, servingDriftNats } = figures;
  const compared =
    lowerBound === null || meanDifference === null
      ? 'too few earlier turns to compare on'
      : `${signed(meanDifference)} nats a token on ${turns} earlier turns (${heldOut} never trained on), at least ` +
        signed(lowerBound);
  const drifted = driftNats === null ? 'drift not measured' : `${driftNats.toFixed(3)} nats from the base`;
  const reason = `${compared}; ${drifted}`;
  if (lowerBound !== null && lowerBound < -margin)
    return { promoted: false, reason: `${reason}; the margin is ${margin}` };
  const further =
    driftNats !== null && driftNats > figures.maxDriftNats && driftNats > (servingDriftNats ?? 0);
  if (further) return { promoted: false, reason: `${reason}; the limit is ${figures.maxDriftNats}` };
  return { promoted: true, reason };
}

function signed(value: number): string {
  // What rounds to nothing has no sign.
  const rounded = Number(value.toFixed(3)) + 0;
  return `${rounded < 0 ? '' : '+'}${rounded.toFixed(3)}`;
}

/** Of the tokens that were trained. */
function likelier(logprobFall: number): string {
  const by = Math.abs(logprobFall).toFixed(3);
  return `its own tokens ${by} nats ${logprobFall > 0 ? 'less likely' : 'likelier'} each`;
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
