/**
 * The engine contract: the subset of SGLang 0.5.x's HTTP API that Apprentice uses. The embedded engine
 * serves it and the engine client speaks it, so SGLang or sglang-router can stand in either place.
 */
import { z } from 'zod';

export const SamplingParams = z
  .strictObject({
    max_new_tokens: z.number().int().min(0).max(32_768).default(128),
    temperature: z.number().min(0).max(5).default(1),
    top_p: z.number().gt(0).max(1).default(1),
    /** -1 turns it off, as in SGLang. */
    top_k: z.number().int().min(-1).default(-1),
    stop: z.union([z.string(), z.array(z.string()).max(8)]).nullish(),
    stop_token_ids: z.array(z.number().int()).max(32).nullish(),
    ignore_eos: z.boolean().default(false),
    sampling_seed: z.number().int().nullish(),
    skip_special_tokens: z.boolean().default(true),
  })
  .prefault({});
export type SamplingParams = z.infer<typeof SamplingParams>;

/** POST /generate. Exactly one of `text` and `input_ids`. `lora_path` is the adapter's name, null the base. */
export const GenerateRequest = z.strictObject({
  rid: z.string().min(1).max(200).optional(),
  text: z.string().optional(),
  input_ids: z.array(z.number().int().min(0)).optional(),
  sampling_params: SamplingParams,
  stream: z.boolean().default(false),
  return_logprob: z.boolean().default(false),
  /** -1: only output tokens. P-1 scores a response that starts at P (the first entry is null). */
  logprob_start_len: z.number().int().min(-1).default(-1),
  top_logprobs_num: z.number().int().min(0).max(64).default(0),
  return_text_in_logprobs: z.literal(false).default(false),
  lora_path: z.string().nullable().default(null),
  /** Cached prefixes serve requests of the same salt alone. */
  cache_salt: z.string().max(200).nullish(),
});
export type GenerateRequest = z.infer<typeof GenerateRequest>;
export type GenerateRequestInput = z.input<typeof GenerateRequest>;

/** [logprob | null, token id, text | null]; null logprob only for a position nothing precedes. */
export const TokenLogprob = z.tuple([z.number().nullable(), z.number().int(), z.string().nullable()]);
export type TokenLogprob = z.infer<typeof TokenLogprob>;

export const FinishReason = z.object({
  type: z.enum(['stop', 'length', 'abort']),
  matched: z.union([z.number(), z.string()]).nullish(),
  length: z.number().nullish(),
  message: z.string().nullish(),
});
export type FinishReason = z.infer<typeof FinishReason>;

export const MetaInfo = z.object({
  id: z.string(),
  finish_reason: FinishReason.nullable(),
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  cached_tokens: z.number().int(),
  /** Apprentice's engine reports the adapter's name (`policy@v0` for the base). SGLang: its base's version. */
  weight_version: z.string(),
  output_token_logprobs: z.array(TokenLogprob).nullish(),
  output_top_logprobs: z.array(z.array(TokenLogprob).nullable()).nullish(),
  input_token_logprobs: z.array(TokenLogprob).nullish(),
  input_top_logprobs: z.array(z.array(TokenLogprob).nullable()).nullish(),
});
export type MetaInfo = z.infer<typeof MetaInfo>;

/** `text` and `output_ids` are cumulative in a stream. */
export const GenerateResponse = z.object({
  text: z.string(),
  output_ids: z.array(z.number().int()),
  meta_info: MetaInfo,
});
export type GenerateResponse = z.infer<typeof GenerateResponse>;

export const LoadLoraAdapterRequest = z.strictObject({
  lora_name: z.string().min(1).max(200),
  lora_path: z.string().min(1),
  pinned: z.boolean().default(false),
});
export type LoadLoraAdapterRequest = z.infer<typeof LoadLoraAdapterRequest>;

export const UnloadLoraAdapterRequest = z.strictObject({ lora_name: z.string().min(1).max(200) });

/** What /load_lora_adapter and /unload_lora_adapter answer. */
export const LoraUpdateResponse = z.object({
  success: z.boolean(),
  error_message: z.string().nullish(),
  loaded_adapters: z.record(z.string(), z.string().nullable()).nullish(),
});
export type LoraUpdateResponse = z.infer<typeof LoraUpdateResponse>;

export const ModelInfo = z.object({
  model_path: z.string(),
  tokenizer_path: z.string(),
  is_generation: z.boolean(),
  weight_version: z.string().nullish(),
});
export type ModelInfo = z.infer<typeof ModelInfo>;

/** GET /server_info; only what Apprentice reads. */
export const ServerInfo = z.object({
  version: z.string().nullish(),
  context_length: z.number().int().nullish(),
  max_total_num_tokens: z.number().int().nullish(),
  tool_call_parser: z.string().nullish(),
});
export type ServerInfo = z.infer<typeof ServerInfo>;

export const PauseGenerationRequest = z.strictObject({
  mode: z.enum(['abort', 'in_place', 'retract']).default('in_place'),
});
export const UpdateWeightsRequest = z.strictObject({
  model_path: z.string().min(1),
  weight_version: z.string().nullish(),
});
export const AbortRequest = z.strictObject({
  rid: z.string().default(''),
  abort_all: z.boolean().default(false),
});
export const TokenizeRequest = z.strictObject({
  model: z.string().optional(),
  prompt: z.string(),
  add_special_tokens: z.boolean().default(true),
});
export const DetokenizeRequest = z.strictObject({
  model: z.string().optional(),
  tokens: z.array(z.number().int().min(0)),
  skip_special_tokens: z.boolean().default(true),
});
