/**
 * Makes one turn, for HTTP and the editor alike: prompt ids, a lease on a version, `beginTurn`, the engine's
 * stream, `finishTurn` or `failTurn`. Shapes of requests and answers are left to the caller.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import { generateOverRestart } from '../engine/generate-over-restart.ts';
import type { Lease, Serving } from '../engine/serving.ts';
import type { GenerateResponse } from '../protocol/engine.ts';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { AnswerMessage, PlainMessage, TakenFor, ToolDefinition } from '../protocol/gateway.ts';
import { type LessonId, type SessionId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { TurnSubject } from '../protocol/observations.ts';
import { hashAnswered } from '../sessions/conversation-hash.ts';
import type { Store } from '../store/store.ts';
import { AnswerParser, type AnswerPart, type AnswerShape, callId, contentOf } from './answer-parser.ts';
import type { ChatPrompt, RenderedPrompt } from './chat-template.ts';
import { FunctionCalls } from './function-calls.ts';
import {
  completion,
  generateBody,
  type TurnSampling,
  type TurnToken,
  tokensFrom,
  tooLong,
} from './generation.ts';
import type { PromptSource } from './prompt-source.ts';
import { THINK_OPEN } from './reasoning-parser.ts';
import type { Tokenizer } from './tokenizer.ts';
import { MARKS } from './tool-call-parser.ts';
import { kindOf, observeParent, placeTurn, type SessionChoice, type TurnPlace } from './turn-place.ts';

export interface TurnRequest {
  /** `prefix`: its messages tell which session it belongs to. */
  session: SessionChoice;
  /** The client's own name for itself; null: not known. */
  client: string | null;
  takenFor: TakenFor;
  messages: PlainMessage[];
  /** Those that the model may call; empty: none. */
  tools: readonly ToolDefinition[];
  /** `one`: the client takes no more calls in an answer. */
  calls: 'one' | 'several';
  subject: TurnSubject;
  /** `serving`: the version that the pointer names when the turn begins. */
  version: WeightVersion | 'serving';
  sampling: TurnSampling;
}

export type TurnEvent =
  | { type: 'begun'; turnId: TurnId; version: WeightVersion; promptTokens: number; prompt: ChatPrompt }
  /** `delta` is the new text of the answer proper; it may be empty while a character is incomplete. */
  | { type: 'text'; delta: string; tokens: TurnToken[]; parts: AnswerPart[] }
  | {
      type: 'finished';
      finishReason: 'stop' | 'length';
      /** The stop string that ended it. */
      stopSequence: string | null;
      text: string;
      message: AnswerMessage;
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
  store: Pick<
    Store,
    'learning' | 'beginTurn' | 'finishTurn' | 'failTurn' | 'turn' | 'earlierTurns' | 'addObservation'
  >;
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
  /** How tool calls are read; without it as the chat template says. */
  functionCalls?: FunctionCalls;
  /** Hears of main work's answers once they are stored. Must not throw. */
  onAnswered?: (turnId: TurnId, message: AnswerMessage) => void;
  /** Hears of a next state that could not be kept; the request goes on. */
  onLost?: (error: ApprenticeError) => void;
}

export class TurnRunner {
  readonly #options: TurnRunnerOptions;
  readonly #functionCalls: FunctionCalls;
  #running = 0;

  constructor(options: TurnRunnerOptions) {
    this.#options = options;
    this.#functionCalls = options.functionCalls ?? new FunctionCalls('auto', null);
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
      const { store, nowMs } = this.#options;
      const format = request.tools.length === 0 ? null : await this.#functionCalls.format(prompt, signal);
      const place = placeTurn(store, request, nowMs());
      const rendered = this.#prompt({ ...request, ...place, version, prompt });
      const roomTokens = prompt.tokenizer.contextLength - rendered.ids.length;
      if (roomTokens < 1) throw tooLong(rendered.ids.length, prompt.tokenizer.contextLength);
      const turnId = this.#begin(request, { place, ...rendered, version });
      const shape: AnswerShape = {
        reasoning: rendered.reasoning,
        tools: format,
        calls: prompt.tools.single ? 'one' : request.calls,
      };
      yield* this.#answer(
        request,
        { turnId, prompt, ids: rendered.ids, roomTokens, version, place, shape },
        signal,
      );
    } finally {
      lease?.release();
      this.#running--;
    }
  }

  /** Tokens of the prompt that these messages make. Throws as `run` does. */
  async countTokens(
    messages: readonly PlainMessage[],
    tools: readonly ToolDefinition[],
    signal: AbortSignal,
  ): Promise<number> {
    return (await this.#options.prompts.get(signal)).ids(messages, tools).length;
  }

  /** With what `prepare` adds, where that fits. */
  #prompt(request: PlacedRequest): RenderedPrompt & { lessonIds: readonly LessonId[] } {
    const { messages, tools, prompt } = request;
    const prepared = this.#options.prepare?.(request);
    if (prepared !== undefined && prepared.lessonIds.length > 0) {
      const rendered = prompt.request(prepared.messages, tools);
      if (rendered.ids.length < prompt.tokenizer.contextLength)
        return { ...rendered, lessonIds: prepared.lessonIds };
    }
    return { ...prompt.request(messages, tools), lessonIds: [] };
  }

  #begin(
    request: TurnRequest,
    turn: { place: TurnPlace; ids: number[]; lessonIds: readonly LessonId[]; version: WeightVersion },
  ): TurnId {
    const turnId = TurnId.parse(randomUUID());
    const { store, nowMs, onLost = () => undefined } = this.#options;
    const { messages, subject, session, client, takenFor, tools } = request;
    const { place, ids: promptIds, lessonIds, version } = turn;
    const { sessionId, parentTurnId, retryOf, fork, hashes } = place;
    const kind = kindOf(takenFor);
    const learnable = store.learning() === 'on';
    const createdAtMs = nowMs();
    store.beginTurn(
      { turnId, sessionId, kind, learnable, createdAtMs, messages, promptIds, version, subject },
      { origin: session.origin, client, takenFor, parentTurnId, retryOf, fork, hashes, tools, lessonIds },
    );
    observeParent(store, place, request, createdAtMs, onLost);
    return turnId;
  }

  async *#answer(request: TurnRequest, turn: BegunTurn, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const { turnId, prompt, ids, roomTokens, version, shape } = turn;
    const parser = new AnswerParser(shape, (index) => callId(turnId, index));
    // Stays so when the consumer leaves the iteration: nothing is thrown in here then.
    let failure: ErrorCode | undefined = 'aborted';
    try {
      yield { type: 'begun', turnId, version, promptTokens: ids.length, prompt };
      const specialTokens = hidesMarks(shape, prompt.tokenizer) ? 'shown' : 'skipped';
      const body = generateBody(request.sampling, ids, version, { roomTokens, specialTokens });
      let seen = 0;
      let count = 0;
      for await (const answer of generateOverRestart(this.#options, version, body, signal)) {
        const end = completion(answer);
        const tokens = tokensFrom(answer, count);
        const parts = parser.push(answer.text.slice(seen));
        seen = answer.text.length;
        count = answer.output_ids.length;
        if (end !== null) {
          parts.push(...parser.end());
          if (shape.tools === 'whole')
            parts.push(
              ...parser.take(await this.#functionCalls.parse(prompt, parser.text, request.tools, signal)),
            );
          this.#finish(request, turn, answer, end.reason, parser);
          failure = undefined;
        }
        if (tokens.length > 0 || parts.length > 0)
          yield { type: 'text', delta: contentOf(parts), tokens, parts };
        if (end !== null) {
          const cachedTokens = answer.meta_info.cached_tokens;
          const { message } = parser;
          yield {
            type: 'finished',
            finishReason: end.reason,
            stopSequence: end.stopSequence,
            text: message.content,
            message,
            completionTokens: count,
            cachedTokens,
          };
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

  #finish(
    { messages, takenFor }: TurnRequest,
    { turnId, place }: BegunTurn,
    answer: GenerateResponse,
    finishReason: 'stop' | 'length',
    { message, text }: AnswerParser,
  ): void {
    this.#options.store.finishTurn(
      turnId,
      {
        responseIds: answer.output_ids,
        behaviourLogprobs: tokensFrom(answer, 0).map((token) => token.logprob),
        text,
        finishReason,
        version: WeightVersion.parse(answer.meta_info.weight_version),
        finishedAtMs: this.#options.nowMs(),
      },
      { message, hashes: hashAnswered(messages, message, place.scope) },
    );
    if (kindOf(takenFor) === 'main') this.#options.onAnswered?.(turnId, message);
  }
}

interface BegunTurn {
  turnId: TurnId;
  prompt: ChatPrompt;
  ids: number[];
  roomTokens: number;
  version: WeightVersion;
  place: TurnPlace;
  shape: AnswerShape;
}

/** Special tokens are left out of an engine's text; where one of them is a mark that is parsed, they must not be. */
function hidesMarks({ tools }: AnswerShape, tokenizer: Tokenizer): boolean {
  if (tools === 'whole') return true;
  const marks = tools === null ? [THINK_OPEN] : [THINK_OPEN, MARKS[tools].open];
  return marks.some((mark) => tokenizer.isSpecial(mark));
}
