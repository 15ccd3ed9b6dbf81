/**
 * Makes one turn, for HTTP and the editor alike: prompt ids, a lease on a version, `beginTurn`, the engine's
 * stream, `finishTurn` or `failTurn`. Shapes of requests and answers are left to the caller.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import { generateOverRestart } from '../engine/generate-over-restart.ts';
import { topList } from '../engine/http-engine.ts';
import type { Lease, Serving } from '../engine/serving.ts';
import type { GenerateRequestInput, GenerateResponse } from '../protocol/engine.ts';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage, TakenFor, ToolDefinition } from '../protocol/gateway.ts';
import { type LessonId, loraPath, SessionId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { TurnSubject } from '../protocol/observations.ts';
import type { Store } from '../store/store.ts';
import type { ChatPrompt } from './chat-template.ts';
import type { PromptSource } from './prompt-source.ts';

export interface TurnSampling {
  /** Null: up to the context's end, at most `DEFAULT_MAX_NEW_TOKENS`. More than fits is cut to what fits. */
  maxNewTokens: number | null;
  temperature: number;
  topP: number;
  stop: readonly string[];
  seed: number | null;
  topLogprobs: number;
}

export interface TurnRequest {
  /** `prefix`: its messages tell which session it belongs to. */
  session: { origin: 'header' | 'editor'; id: SessionId } | { origin: 'prefix' };
  /** The client's own name for itself; null: not known. */
  client: string | null;
  takenFor: TakenFor;
  messages: PlainMessage[];
  /** Those that the model may call; empty: none. */
  tools: readonly ToolDefinition[];
  subject: TurnSubject;
  /** `serving`: the version that the pointer names when the turn begins. */
  version: WeightVersion | 'serving';
  sampling: TurnSampling;
}

/** One new token of a response. */
export interface TurnToken {
  id: number;
  /** NaN when the engine gave none. */
  logprob: number;
  top: [number, number][];
}

export type TurnEvent =
  | { type: 'begun'; turnId: TurnId; version: WeightVersion; promptTokens: number; prompt: ChatPrompt }
  /** `delta` may be empty while a character is incomplete. */
  | { type: 'text'; delta: string; tokens: TurnToken[] }
  | {
      type: 'finished';
      finishReason: 'stop' | 'length';
      text: string;
      completionTokens: number;
      cachedTokens: number;
    };

/** A request whose session and place are known, before its prompt is made. */
export interface PlacedRequest {
  sessionId: SessionId;
  takenFor: TakenFor;
  messages: readonly PlainMessage[];
  tools: readonly ToolDefinition[];
  subject: TurnSubject;
  /** The version that will answer. */
  version: WeightVersion;
  prompt: ChatPrompt;
}

/** The messages that stand in the prompt, and the lessons among them. */
export interface PreparedPrompt {
  messages: readonly PlainMessage[];
  lessonIds: readonly LessonId[];
}

export interface TurnRunnerOptions {
  store: Pick<Store, 'learning' | 'beginTurn' | 'finishTurn' | 'failTurn'>;
  engine: Pick<Engine, 'generate'>;
  serving: Serving;
  prompts: PromptSource;
  /** Turns in the making at once, those that wait in the engine's queue included. */
  maxTurns: number;
  nowMs: () => number;
  /**
   * Puts lessons into a prompt. What the store keeps as the turn's messages, and what a next request is compared
   * with, stays without them. A prompt that grows over the context is made again without. Must not throw.
   */
  prepare?: (request: PlacedRequest) => PreparedPrompt;
}

/** A small model that finds no end would otherwise fill the whole context. */
export const DEFAULT_MAX_NEW_TOKENS = 1024;

export class TurnRunner {
  readonly #options: TurnRunnerOptions;
  #running = 0;

  constructor(options: TurnRunnerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /**
   * `begun`, then `text` events, then `finished`. Leaving the iteration early, or the signal, cancels the
   * generation and fails the turn. Throws `queue_full`, `context_length_exceeded`, `model_not_found`, `aborted`
   * and what the engine throws.
   */
  async *run(request: TurnRequest, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    if (this.#running >= this.#options.maxTurns)
      throw new ApprenticeError(
        'queue_full',
        `${this.#running} requests are running.`,
        'Try again when one has ended.',
      );
    this.#running++;
    let lease: Lease | undefined;
    try {
      // First of all, as it is what waits for an engine that is still starting.
      lease = await this.#options.serving.acquire(
        signal,
        request.version === 'serving' ? undefined : request.version,
      );
      const prompt = await this.#options.prompts.get(signal);
      const { version } = lease;
      const sessionId =
        request.session.origin === 'prefix' ? SessionId.parse(randomUUID()) : request.session.id;
      const { promptIds, lessonIds } = this.#prompt({ ...request, sessionId, version, prompt });
      const roomTokens = prompt.tokenizer.contextLength - promptIds.length;
      if (roomTokens < 1)
        throw new ApprenticeError(
          'context_length_exceeded',
          `The prompt has ${promptIds.length} tokens; the model's context is ${prompt.tokenizer.contextLength}.`,
          'Shorten the messages.',
        );
      const turnId = this.#begin(request, { sessionId, promptIds, lessonIds, version });
      yield* this.#answer(request, { turnId, prompt, promptIds, roomTokens, version }, signal);
    } finally {
      lease?.release();
      this.#running--;
    }
  }

  /** With what `prepare` adds, where that fits. */
  #prompt(request: PlacedRequest): { promptIds: number[]; lessonIds: readonly LessonId[] } {
    const { messages, prompt } = request;
    const prepared = this.#options.prepare?.(request);
    if (prepared !== undefined && prepared.lessonIds.length > 0) {
      const promptIds = prompt.ids(prepared.messages);
      if (promptIds.length < prompt.tokenizer.contextLength)
        return { promptIds, lessonIds: prepared.lessonIds };
    }
    return { promptIds: prompt.ids(messages), lessonIds: [] };
  }

  #begin(
    { messages, subject, session, client, takenFor, tools }: TurnRequest,
    turn: {
      sessionId: SessionId;
      promptIds: number[];
      lessonIds: readonly LessonId[];
      version: WeightVersion;
    },
  ): TurnId {
    const turnId = TurnId.parse(randomUUID());
    const { store, nowMs } = this.#options;
    const { sessionId, promptIds, lessonIds, version } = turn;
    const kind = takenFor === 'main' ? 'main' : 'side';
    const learnable = store.learning() === 'on';
    const createdAtMs = nowMs();
    store.beginTurn(
      { turnId, sessionId, kind, learnable, createdAtMs, messages, promptIds, version, subject },
      {
        origin: session.origin,
        client,
        takenFor,
        parentTurnId: null,
        retryOf: null,
        fork: null,
        hashes: null,
        tools,
        lessonIds,
      },
    );
    return turnId;
  }

  async *#answer(
    request: TurnRequest,
    turn: {
      turnId: TurnId;
      prompt: ChatPrompt;
      promptIds: number[];
      roomTokens: number;
      version: WeightVersion;
    },
    signal: AbortSignal,
  ): AsyncGenerator<TurnEvent> {
    const { turnId, prompt, promptIds, roomTokens, version } = turn;
    // Stays so when the consumer leaves the iteration: nothing is thrown in here then.
    let failure: ErrorCode | undefined = 'aborted';
    try {
      yield { type: 'begun', turnId, version, promptTokens: promptIds.length, prompt };
      const body = generateBody(request.sampling, promptIds, version, roomTokens);
      let text = '';
      let count = 0;
      for await (const answer of generateOverRestart(this.#options, version, body, signal)) {
        const finishReason = completion(answer);
        const delta = answer.text.slice(text.length);
        const tokens = tokensFrom(answer, count);
        text = answer.text;
        count = answer.output_ids.length;
        if (finishReason) {
          this.#finish(turnId, answer, finishReason);
          failure = undefined;
        }
        if (tokens.length > 0 || delta !== '') yield { type: 'text', delta, tokens };
        if (finishReason) {
          const cachedTokens = answer.meta_info.cached_tokens;
          yield { type: 'finished', finishReason, text, completionTokens: count, cachedTokens };
          return;
        }
      }
      throw new ApprenticeError('engine_unavailable', 'The engine ended its stream early.', 'Try again.');
    } catch (error) {
      const known = toApprenticeError(error);
      if (failure) failure = known.code;
      throw known;
    } finally {
      if (failure) this.#options.store.failTurn(turnId, failure);
    }
  }

  #finish(turnId: TurnId, answer: GenerateResponse, finishReason: 'stop' | 'length'): void {
    this.#options.store.finishTurn(turnId, {
      responseIds: answer.output_ids,
      behaviourLogprobs: tokensFrom(answer, 0).map((token) => token.logprob),
      text: answer.text,
      finishReason,
      version: WeightVersion.parse(answer.meta_info.weight_version),
      finishedAtMs: this.#options.nowMs(),
    });
  }
}

function generateBody(
  sampling: TurnSampling,
  promptIds: number[],
  version: WeightVersion,
  roomTokens: number,
): GenerateRequestInput {
  return {
    input_ids: promptIds,
    sampling_params: {
      max_new_tokens: Math.min(sampling.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS, roomTokens),
      temperature: sampling.temperature,
      top_p: sampling.topP,
      stop: sampling.stop.length > 0 ? [...sampling.stop] : null,
      sampling_seed: sampling.seed,
    },
    return_logprob: true,
    top_logprobs_num: sampling.topLogprobs,
    lora_path: loraPath(version),
  };
}

/** Null while the answer goes on. An answer that the engine itself cut off is no answer. */
function completion(answer: GenerateResponse): 'stop' | 'length' | null {
  const reason = answer.meta_info.finish_reason;
  if (reason?.type !== 'abort') return reason?.type ?? null;
  throw new ApprenticeError(
    'engine_unavailable',
    `The engine gave up the answer: ${reason.message ?? 'no reason given'}.`,
    'Try again.',
  );
}

/** Tokens from position `from` on; ids and logprobs are cumulative in a stream. */
function tokensFrom(answer: GenerateResponse, from: number): TurnToken[] {
  const { output_token_logprobs: logprobs, output_top_logprobs: tops } = answer.meta_info;
  return answer.output_ids.slice(from).map((id, index) => {
    const entry = logprobs?.[from + index];
    const logprob = entry && entry[1] === id ? (entry[0] ?? Number.NaN) : Number.NaN;
    return { id, logprob, top: topList(tops?.[from + index]) };
  });
}
