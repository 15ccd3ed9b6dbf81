/**
 * An Engine without HTTP or a model: it answers the words of `reply`, a token each, and knows which adapters are
 * loaded. Stricter than a real one where a fault of the caller would otherwise go unseen: it refuses a version
 * that is not loaded and notes an unload under a running request.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Tokenizer } from '@huggingface/tokenizers';
import type { Engine, Scored } from '../../agent-server/engine/engine.ts';
import {
  GenerateRequest,
  type GenerateRequestInput,
  type GenerateResponse,
  type TokenLogprob,
} from '../../agent-server/protocol/engine.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type WeightVersion } from '../../agent-server/protocol/ids.ts';
import type { TokenizerFiles } from '../../agent-server/protocol/link.ts';
import { runtime } from '../fixtures/runtime.ts';

const LOGPROB = -0.5;

/** The real model's tokenizer and template: small next to its weights, and what the gateway must be right with. */
export function realTokenizerFiles(contextLength = 8192): TokenizerFiles {
  const read = (name: string) => readFileSync(join(runtime().model, name), 'utf8');
  return {
    tokenizer: JSON.parse(read('tokenizer.json')),
    config: JSON.parse(read('tokenizer_config.json')),
    chatTemplate: read('chat_template.jinja'),
    eosTokenIds: [2],
    contextLength,
  };
}

export class InProcessEngine implements Engine {
  readonly files: TokenizerFiles;
  readonly adapters = new Map<string, string>();
  /** Versions unloaded while a request still used them. */
  readonly torn: string[] = [];
  readonly requests: GenerateRequest[] = [];
  readonly scored: { promptIds: readonly number[]; version: WeightVersion }[] = [];
  /** Requests whose consumer went away before the end. */
  aborted = 0;
  reply = 'fix: correct the greeting';
  /** What `score` says of a token; generated ones are always at LOGPROB. */
  logprobOf: (version: WeightVersion, id: number) => number = () => LOGPROB;
  /** Before each token; a test holds a stream still here. */
  beforeToken: (index: number, signal: AbortSignal) => Promise<void> = async () => {
    await setImmediate();
  };
  /** How far the best tokens of a scored response lie from its own: a prompt under which they are others. */
  surprise: (promptIds: readonly number[]) => number = () => 0;
  /** Thrown by the next call, once. */
  failNext: ApprenticeError | undefined;
  readonly #tokenizer: () => Tokenizer;
  readonly #running = new Map<string, number>();

  constructor(files: TokenizerFiles) {
    this.files = files;
    // Reading 49,152 tokens takes a moment, and who only scores needs none of them.
    let tokenizer: Tokenizer | undefined;
    this.#tokenizer = () => {
      tokenizer ??= new Tokenizer(files.tokenizer, files.config);
      return tokenizer;
    };
  }

  async *generate(input: GenerateRequestInput, signal: AbortSignal): AsyncGenerator<GenerateResponse> {
    const request = GenerateRequest.parse(input);
    this.#fail();
    const version = this.#require(request.lora_path);
    this.requests.push(request);
    this.#running.set(version, (this.#running.get(version) ?? 0) + 1);
    const all = [...this.#tokenizer().encode(this.reply, { add_special_tokens: false }).ids, 2];
    const { max_new_tokens: limit, stop } = request.sampling_params;
    const ids = all.slice(0, Math.min(limit, this.#stopAt(all, [stop ?? []].flat())));
    let finished = false;
    try {
      for (let index = 0; index < ids.length; index++) {
        await this.beforeToken(index, signal);
        if (signal.aborted) throw new ApprenticeError('aborted', 'The request was cancelled.', '');
        finished = index === ids.length - 1;
        yield this.#response(request, version, ids.slice(0, index + 1), finished ? reasonOf(ids, all) : null);
      }
    } finally {
      this.#running.set(version, (this.#running.get(version) ?? 0) - 1);
      if (!finished) this.aborted++;
    }
  }

  async score(
    request: {
      promptIds: readonly number[];
      responseIds: readonly number[];
      version: WeightVersion;
      topLogprobs: number;
    },
    signal: AbortSignal,
  ): Promise<Scored> {
    signal.throwIfAborted();
    this.#fail();
    this.#require(request.version === BASE_VERSION ? null : request.version);
    this.scored.push({ promptIds: request.promptIds, version: request.version });
    const moved = this.surprise(request.promptIds);
    const logprob = (id: number) => this.logprobOf(request.version, id);
    const best = (id: number) =>
      Array.from({ length: request.topLogprobs }, (_, rank): [number, number] => [
        logprob(id) - rank,
        id + moved + rank,
      ]);
    return { logprobs: request.responseIds.map(logprob), top: request.responseIds.map(best) };
  }

  async loadAdapter(version: WeightVersion, folder: string): Promise<void> {
    this.#fail();
    this.adapters.set(version, folder);
  }

  async unloadAdapter(version: WeightVersion): Promise<void> {
    if ((this.#running.get(version) ?? 0) > 0) this.torn.push(version);
    this.adapters.delete(version);
  }

  async tokenizerFiles(): Promise<TokenizerFiles> {
    return this.files;
  }

  async health(): Promise<boolean> {
    return true;
  }

  #fail(): void {
    const error = this.failNext;
    this.failNext = undefined;
    if (error) throw error;
  }

  #require(loraPath: string | null): string {
    if (loraPath === null || this.adapters.has(loraPath)) return loraPath ?? BASE_VERSION;
    throw new ApprenticeError('adapter_not_loaded', `${loraPath} is not loaded.`, 'Load it first.');
  }

  /** How many ids it takes until a stop string is there. */
  #stopAt(ids: readonly number[], stops: readonly string[]): number {
    const count = ids.findIndex((_, index) =>
      stops.some((stop) => this.#text(ids.slice(0, index + 1), 'skip').includes(stop)),
    );
    return count < 0 ? ids.length : count + 1;
  }

  /** Without the end token, as engines give it. */
  #text(ids: readonly number[], special: 'skip' | 'show'): string {
    const shown = ids.filter((id) => id !== 2);
    const skip_special_tokens = special === 'skip';
    return this.#tokenizer().decode(shown, { skip_special_tokens, clean_up_tokenization_spaces: false });
  }

  #response(
    request: GenerateRequest,
    version: string,
    ids: number[],
    reason: 'stop' | 'length' | null,
  ): GenerateResponse {
    const logprobs = ids.map((id): TokenLogprob => [LOGPROB, id, null]);
    const top = (id: number) =>
      Array.from(
        { length: request.top_logprobs_num },
        (_, rank): TokenLogprob => [LOGPROB - rank, id + rank, null],
      );
    const { skip_special_tokens: skip, stop } = request.sampling_params;
    const text = this.#text(ids, skip ? 'skip' : 'show');
    const matched = [stop ?? []].flat().find((one) => text.includes(one)) ?? null;
    return {
      text: matched === null ? text : text.slice(0, text.indexOf(matched)),
      output_ids: ids,
      meta_info: {
        id: request.rid ?? 'rid',
        finish_reason: reason === null ? null : { type: matched === null ? reason : 'stop', matched },
        prompt_tokens: request.input_ids?.length ?? 0,
        completion_tokens: ids.length,
        cached_tokens: 0,
        weight_version: version,
        output_token_logprobs: request.return_logprob ? logprobs : null,
        output_top_logprobs: request.return_logprob ? ids.map(top) : null,
      },
    };
  }
}

function reasonOf(ids: readonly number[], all: readonly number[]): 'stop' | 'length' {
  return ids.length === all.length ? 'stop' : 'length';
}
