/** Anthropic's shapes for a turn's events: one `message`, or its server-sent events, and its errors. */
import { type ApprenticeError, errorResponse, toApprenticeError } from '../protocol/errors.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';
import type { AnswerPart } from './answer-parser.ts';
import type { TurnEvent } from './turn-runner.ts';

type Begun = Extract<TurnEvent, { type: 'begun' }>;
type Finished = Extract<TurnEvent, { type: 'finished' }>;
type Thinking = 'shown' | 'hidden';

/** Reasoning of a local model is signed by nobody. */
const NO_SIGNATURE = '';

/** Collects the whole answer. */
export async function messageBody(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  thinking: Thinking,
): Promise<object> {
  let finished: Finished | undefined;
  for await (const event of events) if (event.type === 'finished') finished = event;
  return {
    ...envelope(begun),
    content: finished ? blocks(finished.message, thinking) : [],
    stop_reason: finished ? stopReason(finished) : null,
    stop_sequence: finished?.stopSequence ?? null,
    usage: finished ? usage(begun, finished) : null,
  };
}

/** The events of a stream. An error ends it with an `error` event and without `message_stop`. */
export async function* messageEvents(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  thinking: Thinking,
): AsyncGenerator<string> {
  const content = new ContentBlocks(thinking);
  try {
    const started = { input_tokens: begun.promptTokens, output_tokens: 0 };
    const message = {
      ...envelope(begun),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: started,
    };
    yield event('message_start', { message });
    for await (const turn of events) {
      if (turn.type === 'text') for (const part of turn.parts) yield* content.add(part);
      if (turn.type !== 'finished') continue;
      yield* content.close();
      yield event('message_delta', {
        delta: { stop_reason: stopReason(turn), stop_sequence: turn.stopSequence },
        usage: usage(begun, turn),
      });
      yield event('message_stop', {});
    }
  } catch (error) {
    yield event('error', messageError(toApprenticeError(error)).body);
  }
}

/** Anthropic's error body, with the status that OpenAI's route would answer. */
export function messageError(error: ApprenticeError): { status: number; body: object } {
  const { status, body } = errorResponse(error);
  // Agents that make room for themselves look for these words.
  const lead = error.code === 'context_length_exceeded' ? 'prompt is too long: ' : '';
  return {
    status,
    body: {
      type: 'error',
      error: { type: ERROR_TYPES[status] ?? 'api_error', message: `${lead}${body.error.message}` },
    },
  };
}

const ERROR_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** Blocks follow one another: the first piece of another kind ends the one before. */
class ContentBlocks {
  readonly #thinking: Thinking;
  #index = -1;
  #open: 'text' | 'thinking' | null = null;

  constructor(thinking: Thinking) {
    this.#thinking = thinking;
  }

  *add(part: AnswerPart): Generator<string> {
    if (part.type === 'call') {
      yield* this.close();
      const { id, name, arguments: input } = part.call;
      yield this.#start({ type: 'tool_use', id, name, input: {} });
      yield this.#delta({ type: 'input_json_delta', partial_json: input });
      yield event('content_block_stop', { index: this.#index });
    } else if (part.type === 'content') {
      yield* this.#enter('text', { type: 'text', text: '', citations: null });
      yield this.#delta({ type: 'text_delta', text: part.text });
    } else if (this.#thinking === 'shown') {
      yield* this.#enter('thinking', { type: 'thinking', thinking: '', signature: NO_SIGNATURE });
      yield this.#delta({ type: 'thinking_delta', thinking: part.text });
    }
  }

  *close(): Generator<string> {
    if (this.#open === null) return;
    if (this.#open === 'thinking') yield this.#delta({ type: 'signature_delta', signature: NO_SIGNATURE });
    this.#open = null;
    yield event('content_block_stop', { index: this.#index });
  }

  *#enter(kind: 'text' | 'thinking', block: object): Generator<string> {
    if (this.#open === kind) return;
    yield* this.close();
    this.#open = kind;
    yield this.#start(block);
  }

  #start(content_block: object): string {
    this.#index++;
    return event('content_block_start', { index: this.#index, content_block });
  }

  #delta(delta: object): string {
    return event('content_block_delta', { index: this.#index, delta });
  }
}

function blocks({ content, reasoning, toolCalls }: AnswerMessage, thinking: Thinking): object[] {
  return [
    ...(reasoning !== '' && thinking === 'shown'
      ? [{ type: 'thinking', thinking: reasoning, signature: NO_SIGNATURE }]
      : []),
    ...(content === '' ? [] : [{ type: 'text', text: content, citations: null }]),
    ...toolCalls.map(({ id, name, arguments: input }) => ({
      type: 'tool_use',
      id,
      name,
      input: JSON.parse(input),
    })),
  ];
}

function stopReason({ finishReason, stopSequence, message }: Finished): string {
  if (finishReason === 'length') return 'max_tokens';
  if (message.toolCalls.length > 0) return 'tool_use';
  return stopSequence === null ? 'end_turn' : 'stop_sequence';
}

function usage(begun: Begun, { cachedTokens, completionTokens }: Finished) {
  return {
    input_tokens: begun.promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

function envelope(begun: Begun) {
  return { id: begun.turnId, type: 'message', role: 'assistant', model: begun.version };
}

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
