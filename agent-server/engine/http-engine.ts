/**
 * The engine client: speaks the SGLang subset of protocol/engine.ts over HTTP. It sends `lora_path` always and
 * checks the version that comes back, because SGLang serves an adapter it does not know from the base, silently.
 * Which version to ask for is left to serving.ts.
 */
import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import {
  type GenerateRequestInput,
  GenerateResponse,
  LoraUpdateResponse,
  type TokenLogprob,
} from '../protocol/engine.ts';
import { ApprenticeError, ErrorBody } from '../protocol/errors.ts';
import { BASE_VERSION, loraPath, type WeightVersion } from '../protocol/ids.ts';
import { TokenizerFiles } from '../protocol/link.ts';
import type { Engine, Scored } from './engine.ts';
import {
  type EngineEndpoint,
  EngineHttp,
  type EngineLimits,
  namedError,
  transportError,
  unexpected,
} from './http-client.ts';

/** Attempts of a call that changes nothing when repeated. */
const ATTEMPTS = 3;

export class HttpEngine implements Engine {
  readonly #http: EngineHttp;

  /** `endpoint` is asked before every call, as a restarted worker has another port; it throws when there is none. */
  constructor(endpoint: () => EngineEndpoint, limits: Partial<EngineLimits> = {}) {
    this.#http = new EngineHttp(endpoint, limits);
  }

  async *generate(request: GenerateRequestInput, signal: AbortSignal): AsyncGenerator<GenerateResponse> {
    const rid = request.rid ?? randomUUID();
    const asked = request.lora_path ?? BASE_VERSION;
    const closing = new AbortController();
    const idle = new IdleLimit(this.#http.limits.idleMs);
    const all = AbortSignal.any([signal, closing.signal, idle.signal]);
    let finished = false;
    try {
      const body = { lora_path: null, ...request, rid, stream: true };
      const response = await this.#http.fetch('POST', '/generate', body, all);
      for await (const data of sseData(response, idle)) {
        if (data === '[DONE]') break;
        const answer = parseStreamed(data);
        requireVersion(asked, answer.meta_info.weight_version);
        finished = answer.meta_info.finish_reason !== null;
        yield answer;
        if (finished) return;
      }
      throw new ApprenticeError(
        'engine_unavailable',
        'The engine ended a stream before its answer.',
        'Try again.',
      );
    } catch (error) {
      throw transportError(error, signal, `No token came for ${this.#http.limits.idleMs} ms`);
    } finally {
      idle.stop();
      closing.abort();
      if (!finished) this.#abortRequest(rid);
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
    const { promptIds, responseIds, version, topLogprobs } = request;
    if (promptIds.length === 0 || responseIds.length === 0)
      throw new ApprenticeError(
        'invalid_request',
        'Scoring needs a prompt and a response.',
        'Send at least one id of each.',
      );
    const body = {
      rid: randomUUID(),
      input_ids: [...promptIds, ...responseIds],
      sampling_params: { max_new_tokens: 0, temperature: 1 },
      stream: false,
      return_logprob: true,
      // One before the response: the entry of position P-1 is null, those of the response follow it.
      logprob_start_len: promptIds.length - 1,
      top_logprobs_num: topLogprobs,
      lora_path: loraPath(version),
    };
    const answer = await this.#http.json('POST', '/generate', body, GenerateResponse, signal, ATTEMPTS);
    requireVersion(version, answer.meta_info.weight_version);
    return scoredResponse(answer, responseIds, topLogprobs);
  }

  async loadAdapter(version: WeightVersion, folder: string, signal: AbortSignal): Promise<void> {
    const body = { lora_name: version, lora_path: folder, pinned: false };
    const answer = await this.#http.json(
      'POST',
      '/load_lora_adapter',
      body,
      LoraUpdateResponse,
      signal,
      ATTEMPTS,
    );
    // Versions are immutable, so one that is there already is the one that was asked for.
    if (answer.success || answer.loaded_adapters?.[version] !== undefined) return;
    throw new ApprenticeError(
      'adapter_invalid',
      `The engine did not load ${version} from ${folder}: ${answer.error_message ?? 'no reason given'}.`,
      'The version stays unserved; train another.',
    );
  }

  async unloadAdapter(version: WeightVersion, signal: AbortSignal): Promise<void> {
    const body = { lora_name: version };
    const answer = await this.#http.json(
      'POST',
      '/unload_lora_adapter',
      body,
      LoraUpdateResponse,
      signal,
      ATTEMPTS,
    );
    if (answer.success || (answer.loaded_adapters && !(version in answer.loaded_adapters))) return;
    throw new ApprenticeError(
      'adapter_not_loaded',
      `The engine did not unload ${version}: ${answer.error_message ?? 'no reason given'}.`,
      'It goes when the engine restarts.',
    );
  }

  tokenizerFiles(signal: AbortSignal): Promise<TokenizerFiles> {
    return this.#http.json('GET', '/worker/tokenizer', undefined, TokenizerFiles, signal, ATTEMPTS);
  }

  async health(signal: AbortSignal): Promise<boolean> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#http.limits.healthMs)]);
    try {
      const response = await this.#http.fetch('GET', '/health', undefined, limited);
      await response.body?.cancel();
      return true;
    } catch (error) {
      if (signal.aborted) throw transportError(error, signal, '');
      return false;
    }
  }

  #abortRequest(rid: string): void {
    const signal = AbortSignal.timeout(this.#http.limits.healthMs);
    // Closing the connection has aborted it already; this reaches an engine behind a router that keeps it open.
    this.#http
      .json('POST', '/abort_request', { rid, abort_all: false }, z.unknown(), signal, 1)
      .catch(() => undefined);
  }
}

/** Aborts when it has not been told of progress for `limitMs`. */
class IdleLimit {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(limitMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new DOMException('idle', 'TimeoutError')), limitMs);
    this.#timer.unref();
  }
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  progress(): void {
    this.#timer.refresh();
  }
  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function* sseData(response: Response, idle: IdleLimit): AsyncGenerator<string> {
  const pending: string[] = [];
  const parser = createParser({ onEvent: (event) => pending.push(event.data) });
  if (!response.body) return;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    idle.progress();
    parser.feed(text);
    yield* pending.splice(0);
  }
}

function parseStreamed(data: string): GenerateResponse {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch (error) {
    throw unexpected('/generate', 'an event that is not JSON', error);
  }
  const failed = ErrorBody.safeParse(json);
  if (failed.success) throw namedError(failed.data, 500, '/generate');
  const parsed = GenerateResponse.safeParse(json);
  if (parsed.success) return parsed.data;
  throw unexpected('/generate', z.prettifyError(parsed.error));
}

/** Drops the null entry of position P-1 and checks that what is left is the response, id by id. */
function scoredResponse(
  answer: GenerateResponse,
  responseIds: readonly number[],
  topLogprobs: number,
): Scored {
  const entries = (answer.meta_info.input_token_logprobs ?? []).slice(1);
  const tops = (answer.meta_info.input_top_logprobs ?? []).slice(1);
  const logprobs = entries.map(([logprob, id], index) => {
    if (logprob === null || id !== responseIds[index])
      throw unexpected('/generate', `position ${index} of a scored response is ${id} with ${logprob}`);
    return logprob;
  });
  if (logprobs.length !== responseIds.length)
    throw unexpected('/generate', `${logprobs.length} scores for a response of ${responseIds.length}`);
  if (topLogprobs > 0 && tops.length !== responseIds.length)
    throw unexpected('/generate', `${tops.length} top lists for a response of ${responseIds.length}`);
  return { logprobs, top: responseIds.map((_, index) => topList(tops[index])) };
}

/** `[logprob, id]` pairs, best first. */
export function topList(top: readonly TokenLogprob[] | null | undefined): [number, number][] {
  return (top ?? [])
    .flatMap(([logprob, id]): [number, number][] => (logprob === null ? [] : [[logprob, id]]))
    .toSorted((a, b) => b[0] - a[0]);
}

function requireVersion(asked: string, answered: string): void {
  if (asked === answered) return;
  throw new ApprenticeError(
    'adapter_not_loaded',
    `${asked} was asked and ${answered} answered.`,
    'The engine lost the adapter; try again once it is loaded.',
  );
}
