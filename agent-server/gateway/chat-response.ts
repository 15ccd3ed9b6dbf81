/** OpenAI's shapes for a turn's events: one `chat.completion`, or the text of its server-sent events. */
import { type ApprenticeError, errorResponse, toApprenticeError } from '../protocol/errors.ts';
import type { AnswerPart } from './answer-parser.ts';
import type { ChatRequest } from './chat-request.ts';
import type { TurnToken } from './generation.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { TurnEvent } from './turn-runner.ts';

type Begun = Extract<TurnEvent, { type: 'begun' }>;
type Finished = Extract<TurnEvent, { type: 'finished' }>;

/** Collects the whole answer. */
export async function completionBody(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  request: ChatRequest,
  createdAtS: number,
): Promise<object> {
  const tokens: TurnToken[] = [];
  let finished: Finished | undefined;
  for await (const event of events) {
    if (event.type === 'text') tokens.push(...event.tokens);
    if (event.type === 'finished') finished = event;
  }
  return {
    ...envelope(begun, createdAtS),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: finished ? answerMessage(finished) : null,
        logprobs: request.logprobs ? logprobsOf(tokens, begun.prompt.tokenizer) : null,
        finish_reason: finished ? finishReason(finished) : null,
      },
    ],
    usage: finished ? usage(begun, finished) : null,
  };
}

/**
 * The events of a stream, `data: [DONE]` last. An error ends it with one `event: error` in OpenAI's error shape
 * and without [DONE], so that half an answer is never taken for a whole one.
 */
export async function* completionEvents(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  request: ChatRequest,
  createdAtS: number,
): AsyncGenerator<string> {
  const head = { ...envelope(begun, createdAtS), object: 'chat.completion.chunk' };
  const chunk = (delta: object, finishReason: string | null, logprobs: object | null = null) =>
    data({
      ...head,
      choices: [{ index: 0, delta, logprobs, finish_reason: finishReason }],
      ...(request.includeUsage ? { usage: null } : {}),
    });
  try {
    yield chunk({ role: 'assistant', content: '' }, null);
    for await (const event of events) {
      if (event.type === 'text') {
        const logprobs = request.logprobs ? logprobsOf(event.tokens, begun.prompt.tokenizer) : null;
        const deltas = event.parts.flatMap(deltasOf);
        // Log-probabilities are of the tokens of one event; they go with the first thing that is told of it.
        const [first = { content: '' }, ...others] = deltas;
        if (deltas.length > 0 || logprobs) yield chunk(first, null, logprobs);
        for (const delta of others) yield chunk(delta, null);
      }
      if (event.type === 'finished') {
        yield chunk({}, finishReason(event));
        if (request.includeUsage) yield data({ ...head, choices: [], usage: usage(begun, event) });
      }
    }
    yield 'data: [DONE]\n\n';
  } catch (error) {
    yield errorEvent(toApprenticeError(error));
  }
}

/** A call comes whole: its name first and then its arguments, as clients expect to see them grow. */
function deltasOf(part: AnswerPart): object[] {
  if (part.type === 'content') return [{ content: part.text }];
  if (part.type === 'reasoning') return [{ reasoning_content: part.text }];
  const { index, call } = part;
  const head = { index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } };
  return [{ tool_calls: [head] }, { tool_calls: [{ index, function: { arguments: call.arguments } }] }];
}

function answerMessage({ message: { content, reasoning, toolCalls } }: Finished): object {
  return {
    role: 'assistant',
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(({ id, ...called }) => ({ id, type: 'function', function: called })),
        }),
  };
}

/** An answer cut off by its length stays `length`, though calls came before. */
function finishReason(finished: Finished): string {
  return finished.finishReason === 'stop' && finished.message.toolCalls.length > 0
    ? 'tool_calls'
    : finished.finishReason;
}

function errorEvent(error: ApprenticeError): string {
  return `event: error\n${data(errorResponse(error).body)}`;
}

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function envelope(begun: Begun, createdAtS: number) {
  return { id: begun.turnId, created: createdAtS, model: begun.version };
}

function usage(begun: Begun, finished: Finished) {
  return {
    prompt_tokens: begun.promptTokens,
    completion_tokens: finished.completionTokens,
    total_tokens: begun.promptTokens + finished.completionTokens,
    prompt_tokens_details: { cached_tokens: finished.cachedTokens },
  };
}

/** `bytes` is null: a token of this tokenizer may be a part of a character, and its bytes are not kept apart. */
function logprobsOf(tokens: readonly TurnToken[], tokenizer: Tokenizer) {
  const entry = (id: number, logprob: number) => ({ token: tokenizer.tokenText(id), logprob, bytes: null });
  return {
    content: tokens.map((token) => ({
      ...entry(token.id, token.logprob),
      top_logprobs: token.top.map(([logprob, id]) => entry(id, logprob)),
    })),
    refusal: null,
  };
}
