/** One /generate request: checked, run, and answered in SGLang's shapes (sglang 0.5.23, `managers/io_struct.py`). */
import { randomUUID } from 'node:crypto';
import type {
  FinishReason,
  GenerateRequest,
  GenerateResponse,
  TokenLogprob,
} from '../../agent-server/protocol/engine.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { RequestEvent, Submit } from './messages.ts';
import type { TokenEngine } from './token-engine.ts';
import { GrowingText, type ModelTokenizer } from './tokenizer.ts';

/** What answers a request: the engine, the text around it, and the name of the base's weights. */
export interface Serving {
  engine: TokenEngine;
  tokenizer: ModelTokenizer;
  baseVersion: () => string;
}

/**
 * Yields a cumulative response for the tokens that come together; the last one has a finish_reason. Throws
 * invalid_request, context_length_exceeded, adapter_not_loaded, queue_full or engine_unavailable.
 */
export async function* generate(
  serving: Serving,
  request: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateResponse, void, undefined> {
  const submit = toSubmit(serving, request);
  const params = request.sampling_params;
  const text = new GrowingText(serving.tokenizer, stopStrings(params.stop), params.skip_special_tokens);
  const endIds = new Set(submit.stop_token_ids);
  const response = new ResponseBuilder(submit, submit.adapter ?? serving.baseVersion());

  for await (const event of serving.engine.generate(submit, signal)) {
    response.take(event);
    if (event.type === 'tokens') {
      text.push(event.ids.filter((id) => !endIds.has(id)));
      if (text.matched !== null) {
        // Leaving the loop ends the request in the engine too.
        yield response.build(text.text, { type: 'stop', matched: text.matched });
        return;
      }
      yield response.build(text.text, null);
    } else if (event.type === 'finish') {
      yield response.build(text.end(), finishReason(event, text.matched, response.outputCount));
    }
  }
}

/** Validates what the schema cannot: lengths, ids and which of text and ids is given. */
function toSubmit({ engine, tokenizer }: Serving, request: GenerateRequest): Submit {
  const ids = promptIds(tokenizer, request);
  const params = request.sampling_params;
  const { contextLength, eosTokenIds } = tokenizer.files;
  const room = contextLength - ids.length;
  if (room < Math.min(1, params.max_new_tokens)) {
    throw new ApprenticeError(
      'context_length_exceeded',
      `The prompt has ${ids.length} tokens; this model takes ${contextLength}, the answer included.`,
      'Send a shorter prompt.',
    );
  }
  const vocabulary = engine.info?.vocab_size ?? Number.POSITIVE_INFINITY;
  if (ids.length === 0) throw invalid('input_ids is empty.', 'Send at least one token.');
  const foreign = ids.find((id) => id >= vocabulary);
  if (foreign !== undefined)
    throw invalid(`Token ${foreign} is not in the vocabulary.`, `Ids end at ${vocabulary - 1}.`);
  if (request.logprob_start_len >= ids.length) {
    throw invalid(
      `logprob_start_len ${request.logprob_start_len} is beyond the prompt.`,
      'Send one inside it.',
    );
  }
  return {
    rid: request.rid ?? randomUUID(),
    scope: request.cache_salt ?? '',
    input_ids: ids,
    adapter: request.lora_path,
    max_new_tokens: Math.min(params.max_new_tokens, room),
    temperature: params.temperature,
    top_p: params.top_p,
    top_k: params.top_k,
    stop_token_ids: [...(params.ignore_eos ? [] : eosTokenIds), ...(params.stop_token_ids ?? [])],
    seed: params.sampling_seed ?? null,
    return_logprob: request.return_logprob,
    logprob_start_len: request.logprob_start_len,
    top_logprobs_num: request.top_logprobs_num,
  };
}

function promptIds(tokenizer: ModelTokenizer, request: GenerateRequest): number[] {
  if (request.input_ids !== undefined && request.text === undefined) return request.input_ids;
  if (request.text !== undefined && request.input_ids === undefined) {
    return tokenizer.encode(request.text, { addSpecialTokens: true });
  }
  throw invalid('Exactly one of text and input_ids is needed.', 'Send one of them.');
}

function stopStrings(stop: string | string[] | null | undefined): string[] {
  return [stop ?? []].flat().filter((text) => text !== '');
}

function invalid(message: string, remedy: string): ApprenticeError {
  return new ApprenticeError('invalid_request', message, remedy);
}

function finishReason(
  event: Extract<RequestEvent, { type: 'finish' }>,
  matchedText: string | null,
  outputCount: number,
): FinishReason {
  if (matchedText !== null) return { type: 'stop', matched: matchedText };
  if (event.reason === 'stop') return { type: 'stop', matched: event.matched };
  if (event.reason === 'length') return { type: 'length', length: outputCount };
  return { type: 'abort', message: 'The request was aborted.' };
}

class ResponseBuilder {
  readonly #submit: Submit;
  readonly #version: string;
  readonly #outputIds: number[] = [];
  readonly #outputLogprobs: TokenLogprob[] = [];
  readonly #outputTop: (TokenLogprob[] | null)[] = [];
  #inputLogprobs: TokenLogprob[] = [];
  #inputTop: (TokenLogprob[] | null)[] = [];
  #cachedTokens = 0;

  constructor(submit: Submit, version: string) {
    this.#submit = submit;
    this.#version = version;
  }

  get outputCount(): number {
    return this.#outputIds.length;
  }

  take(event: RequestEvent): void {
    if (event.type === 'input') {
      this.#cachedTokens = event.cached_tokens;
      const scored = this.#submit.input_ids.slice(Math.max(0, this.#submit.logprob_start_len));
      this.#inputLogprobs = withIds(event.logprobs ?? [], scored);
      this.#inputTop = (event.top ?? []).map(topList);
    } else if (event.type === 'tokens') {
      this.#outputIds.push(...event.ids);
      this.#outputLogprobs.push(...withIds(event.logprobs ?? [], event.ids));
      this.#outputTop.push(...(event.top ?? []).map(topList));
    }
  }

  build(text: string, finish: FinishReason | null): GenerateResponse {
    const { rid, input_ids, return_logprob, top_logprobs_num } = this.#submit;
    return {
      text,
      output_ids: [...this.#outputIds],
      meta_info: {
        id: rid,
        finish_reason: finish,
        prompt_tokens: input_ids.length,
        completion_tokens: this.#outputIds.length,
        cached_tokens: this.#cachedTokens,
        weight_version: this.#version,
        ...(return_logprob && {
          output_token_logprobs: [...this.#outputLogprobs],
          input_token_logprobs: this.#inputLogprobs,
        }),
        ...(return_logprob &&
          top_logprobs_num > 0 && {
            output_top_logprobs: [...this.#outputTop],
            input_top_logprobs: this.#inputTop,
          }),
      },
    };
  }
}

/** Pairs logprobs with the tokens they belong to, in SGLang's triples. */
function withIds(logprobs: readonly (number | null)[], ids: readonly number[]): TokenLogprob[] {
  return logprobs.flatMap((logprob, index): TokenLogprob[] => {
    const id = ids[index];
    return id === undefined ? [] : [[logprob, id, null]];
  });
}

function topList(list: readonly [number, number][] | null): TokenLogprob[] | null {
  return list === null ? null : list.map(([logprob, id]): TokenLogprob => [logprob, id, null]);
}
