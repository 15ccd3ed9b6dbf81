/** How verdicts are asked for where evidence gives no score: `judge` in config.json. Every default stands here, once. */
import { z } from 'zod';

const Price = z.number().min(0).nullable().default(null);

export const JudgeConfig = z.strictObject({
  /**
   * vscode: the language model that an editor offers by its setting `apprentice.judge`; as long as none does, nobody
   * is asked. openai: an OpenAI-compatible endpoint (a service, a second SGLang, sglang-router). worker: a second model
   * of the worker, behind its port and key. none: evidence alone.
   */
  kind: z.enum(['none', 'openai', 'vscode', 'worker']).default('vscode'),
  /** openai: base URL that `/chat/completions` is appended to, for example http://127.0.0.1:30000/v1. */
  url: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  /** openai: its name. worker: a Hugging Face folder, that a worker of this machine loads; of another one, its name. */
  model: z.string().min(1).nullable().default(null),
  /** Bearer key; the environment variable APPRENTICE_JUDGE_KEY wins. */
  key: z.string().min(1).nullable().default(null),
  /** The name under which the endpoint takes the limit of an answer; newer OpenAI models know only the second. */
  limitField: z.enum(['max_tokens', 'max_completion_tokens']).default('max_tokens'),
  maxTokens: z.number().int().min(16).max(32_768).default(1024),
  /** Null: the endpoint's own. Above 0, or the votes of a turn are one vote. */
  temperature: z.number().gt(0).max(2).nullable().default(null),
  /** m: votes about one turn. Odd, so that ties are rare. */
  votes: z.number().int().min(1).max(9).default(3),
  /** Calls at once, over all turns. */
  parallel: z.number().int().min(1).max(64).default(6),
  timeoutMs: z.number().int().min(1_000).max(600_000).default(60_000),
  /** Request, action and next state together; longer ones lose their middle. */
  maxCharacters: z.number().int().min(1_000).max(1_000_000).default(24_000),
  /** US dollars for a million tokens; null: not known, unless the endpoint says what a call cost. */
  promptUsdPerMillion: Price,
  completionUsdPerMillion: Price,
});
export type JudgeConfig = z.infer<typeof JudgeConfig>;
