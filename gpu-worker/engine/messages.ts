/** What crosses the pipe between the gpu-worker and an engine of ours (`apprentice_worker.engine`, llama-cpp/main.ts), one JSON object a line. */
import { z } from 'zod';

/** Tokens in: everything about one request that the model needs. Text and stop strings stay in TypeScript. */
export interface Submit {
  rid: string;
  /** Whose it is. Prefixes in the cache serve their own scope alone, and scopes take turns when places are short. */
  scope: string;
  input_ids: readonly number[];
  /** Name of a loaded adapter; null is the base. */
  adapter: string | null;
  max_new_tokens: number;
  temperature: number;
  top_p: number;
  top_k: number;
  /** Whatever ends the response, the model's own end token included. */
  stop_token_ids: readonly number[];
  seed: number | null;
  return_logprob: boolean;
  /** -1: no logprobs of the input. */
  logprob_start_len: number;
  top_logprobs_num: number;
}

/** `id` joins a command to its `reply`. */
export type Command =
  | ({ type: 'submit' } & Submit)
  | { type: 'abort'; rid: string }
  | { type: 'load_adapter'; id: string; name: string; folder: string }
  | { type: 'unload_adapter'; id: string; name: string }
  | { type: 'forget'; id: string; scope: string }
  | { type: 'pause'; id: string }
  | { type: 'continue'; id: string }
  | { type: 'update_weights'; id: string; folder: string };

/** Natural log, temperature 1; null where nothing precedes the position. */
const Logprobs = z.array(z.number().nullable());
/** A position's `[logprob, id]`, best first. */
const TopList = z.array(z.array(z.tuple([z.number(), z.number().int()])).nullable());

export const EngineEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    vocab_size: z.number().int(),
    device: z.string(),
    dtype: z.string(),
  }),
  /** The prompt is in the cache. Logprobs and top lists of positions logprob_start_len.. when they were asked for. */
  z.object({
    type: z.literal('input'),
    rid: z.string(),
    cached_tokens: z.number().int(),
    logprobs: Logprobs.nullable(),
    top: TopList.nullable(),
  }),
  z.object({
    type: z.literal('tokens'),
    rid: z.string(),
    ids: z.array(z.number().int()),
    logprobs: z.array(z.number()).nullable(),
    top: TopList.nullable(),
  }),
  z.object({
    type: z.literal('finish'),
    rid: z.string(),
    reason: z.enum(['stop', 'length', 'abort', 'error']),
    /** The stop token, when that was the reason. */
    matched: z.number().int().nullable(),
    /** Set with `error`. */
    code: z.enum(['adapter_not_loaded', 'internal']).nullable(),
    message: z.string().nullable(),
  }),
  z.object({
    type: z.literal('reply'),
    id: z.string(),
    ok: z.boolean(),
    code: z.enum(['adapter_invalid', 'adapter_not_loaded', 'invalid_request', 'internal']).nullable(),
    error: z.string().nullable(),
  }),
]);
export type EngineEvent = z.infer<typeof EngineEvent>;
export type EngineReady = Extract<EngineEvent, { type: 'ready' }>;
export type RequestEvent = Extract<EngineEvent, { rid: string }>;
