/** The engine as the rest of the agent-server sees it. `http-engine.ts` speaks the SGLang subset. */
import type { GenerateRequestInput, GenerateResponse } from '../protocol/engine.ts';
import type { ToolDefinition } from '../protocol/gateway.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import type { TokenizerFiles } from '../protocol/link.ts';

/** For each response position: the token's own logprob and the top list `[logprob, id]`, best first. */
export interface Scored {
  logprobs: number[];
  top: [number, number][][];
}

export interface Engine {
  /** Streams cumulative responses; the last one carries a finish_reason. Closing the iterator aborts it. */
  generate(request: GenerateRequestInput, signal: AbortSignal): AsyncIterable<GenerateResponse>;
  /**
   * Log-probabilities (natural, temperature 1) of `responseIds` after `promptIds` under a version. Sends all
   * P+N ids, max_new_tokens 0, logprob_start_len P-1 and drops the first, null entry.
   */
  score(
    request: {
      promptIds: readonly number[];
      responseIds: readonly number[];
      version: WeightVersion;
      topLogprobs: number;
    },
    signal: AbortSignal,
  ): Promise<Scored>;
  loadAdapter(version: WeightVersion, folder: string, signal: AbortSignal): Promise<void>;
  unloadAdapter(version: WeightVersion, signal: AbortSignal): Promise<void>;
  tokenizerFiles(signal: AbortSignal): Promise<TokenizerFiles>;
  health(signal: AbortSignal): Promise<boolean>;
}

/** What SGLang has beyond the contract: it reads tool calls in formats that the gateway does not know. */
export interface FunctionCallEngine {
  /** The parser that the engine was started with; null: none, or it does not say. */
  toolCallParser(signal: AbortSignal): Promise<string | null>;
  parseFunctionCall(
    request: { text: string; tools: readonly ToolDefinition[]; parser: string },
    signal: AbortSignal,
  ): Promise<{ text: string; calls: { name: string; arguments: string }[] }>;
}
