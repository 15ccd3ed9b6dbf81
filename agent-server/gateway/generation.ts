/** What the engine is asked for a turn, and what its cumulative answers say. Pure. */
import { topList } from '../engine/http-engine.ts';
import type { GenerateRequestInput, GenerateResponse } from '../protocol/engine.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { loraPath, type WeightVersion } from '../protocol/ids.ts';

export interface TurnSampling {
  /** Null: up to the context's end, at most `DEFAULT_MAX_NEW_TOKENS`. More than fits is cut to what fits. */
  maxNewTokens: number | null;
  temperature: number;
  topP: number;
  /** -1: off. */
  topK?: number;
  stop: readonly string[];
  seed: number | null;
  topLogprobs: number;
}

/** One new token of a response. */
export interface TurnToken {
  id: number;
  /** NaN when the engine gave none. */
  logprob: number;
  top: [number, number][];
}

/** A small model that finds no end would otherwise fill the whole context. */
export const DEFAULT_MAX_NEW_TOKENS = 1024;
/** The engine contract takes no more (protocol/engine.ts). */
const MAX_NEW_TOKENS = 32_768;

export function generateBody(
  sampling: TurnSampling,
  promptIds: number[],
  version: WeightVersion,
  { roomTokens, specialTokens }: { roomTokens: number; specialTokens: 'skipped' | 'shown' },
): GenerateRequestInput {
  return {
    input_ids: promptIds,
    sampling_params: {
      max_new_tokens: Math.min(sampling.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, roomTokens, MAX_NEW_TOKENS),
      temperature: sampling.temperature,
      top_p: sampling.topP,
      top_k: sampling.topK ?? -1,
      stop: sampling.stop.length > 0 ? [...sampling.stop] : null,
      sampling_seed: sampling.seed,
      skip_special_tokens: specialTokens === 'skipped',
    },
    return_logprob: true,
    top_logprobs_num: sampling.topLogprobs,
    lora_path: loraPath(version),
  };
}

/** Null while the answer goes on. An answer that the engine itself cut off is no answer. */
export function completion(
  answer: GenerateResponse,
): { reason: 'stop' | 'length'; stopSequence: string | null } | null {
  const finish = answer.meta_info.finish_reason;
  if (finish === null) return null;
  if (finish.type !== 'abort') {
    const { type: reason, matched } = finish;
    return { reason, stopSequence: typeof matched === 'string' ? matched : null };
  }
  throw new ApprenticeError(
    'engine_unavailable',
    `The engine gave up the answer: ${finish.message ?? 'no reason given'}.`,
    'Try again.',
  );
}

/** Tokens from position `from` on; ids and logprobs are cumulative in a stream. */
export function tokensFrom(answer: GenerateResponse, from: number): TurnToken[] {
  const { output_token_logprobs: logprobs, output_top_logprobs: tops } = answer.meta_info;
  return answer.output_ids.slice(from).map((id, index) => {
    const entry = logprobs?.[from + index];
    const logprob = entry && entry[1] === id ? (entry[0] ?? Number.NaN) : Number.NaN;
    return { id, logprob, top: topList(tops?.[from + index]) };
  });
}

export function tooLong(promptTokens: number, contextLength: number): ApprenticeError {
  return new ApprenticeError(
    'context_length_exceeded',
    `The prompt has ${promptTokens} tokens; the model's context is ${contextLength}.`,
    'Shorten the messages.',
  );
}
