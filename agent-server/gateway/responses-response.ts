/** OpenAI's shapes of a turn for `/v1/responses`: one `response`, or its server-sent events. */
import { errorResponse, toApprenticeError } from '../protocol/errors.ts';
import type { AnswerMessage, ToolCall } from '../protocol/gateway.ts';
import type { AnswerPart } from './answer-parser.ts';
import type { ResponsesTurn } from './responses-request.ts';
import type { TurnEvent } from './turn-runner.ts';

type Begun = Extract<TurnEvent, { type: 'begun' }>;
type Finished = Extract<TurnEvent, { type: 'finished' }>;
type Request = Pick<ResponsesTurn, 'customTools' | 'echo'>;

/** Collects the whole answer. */
export async function responseBody(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  request: Request,
  createdAtS: number,
): Promise<object> {
  let finished: Finished | undefined;
  for await (const event of events) if (event.type === 'finished') finished = event;
  const items = new OutputItems(begun.turnId, request.customTools);
  // The same way as a stream, whose events nobody hears.
  for (const part of finished ? partsOf(finished.message) : []) passOver(items.add(part));
  passOver(items.close());
  return whole(envelope(begun, request, createdAtS), begun, finished, items.done);
}

/** The events of a stream. An error ends it with `response.failed`. */
export async function* responseEvents(
  begun: Begun,
  events: AsyncIterable<TurnEvent>,
  request: Request,
  createdAtS: number,
): AsyncGenerator<string> {
  const items = new OutputItems(begun.turnId, request.customTools);
  const head = envelope(begun, request, createdAtS);
  const running = { ...head, status: 'in_progress', output: [], usage: null };
  let sequence = 0;
  const told = ({ type, ...fields }: Told) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  try {
    yield told({ type: 'response.created', response: running });
    yield told({ type: 'response.in_progress', response: running });
    for await (const event of events) {
      if (event.type === 'text')
        for (const part of event.parts) for (const one of items.add(part)) yield told(one);
      if (event.type !== 'finished') continue;
      for (const one of items.close()) yield told(one);
      const response = whole(head, begun, event, items.done);
      const type = event.finishReason === 'length' ? 'response.incomplete' : 'response.completed';
      yield told({ type, response });
    }
  } catch (thrown) {
    const { code, message } = errorResponse(toApprenticeError(thrown)).body.error;
    const response = { ...running, status: 'failed', error: { code, message } };
    yield told({ type: 'response.failed', response });
  }
}

interface Told {
  type: string;
  [field: string]: unknown;
}

type ItemKind = 'content' | 'reasoning';
const EVENT_NAMES = { content: 'output_text', reasoning: 'reasoning_text' } as const;

/** Output items follow one another: the first piece of another kind ends the one before. */
class OutputItems {
  /** Those that are whole. */
  readonly done: object[] = [];
  readonly #turnId: string;
  readonly #customTools: ReadonlySet<string>;
  #open: { kind: ItemKind; text: string } | null = null;

  constructor(turnId: string, customTools: ReadonlySet<string>) {
    this.#turnId = turnId;
    this.#customTools = customTools;
  }

  *add(part: AnswerPart): Generator<Told> {
    if (part.type === 'call') {
      yield* this.close();
      yield* this.#call(part.call);
      return;
    }
    if (part.text === '') return;
    if (this.#open?.kind !== part.type) {
      yield* this.close();
      this.#open = { kind: part.type, text: '' };
      yield this.#added(this.#item('in_progress'));
      yield { ...this.#at('response.content_part.added'), part: contentPart(part.type, '') };
    }
    this.#open.text += part.text;
    yield { ...this.#at(`response.${EVENT_NAMES[part.type]}.delta`), delta: part.text, logprobs: [] };
  }

  *close(): Generator<Told> {
    if (this.#open === null) return;
    const { kind, text } = this.#open;
    yield { ...this.#at(`response.${EVENT_NAMES[kind]}.done`), text, logprobs: [] };
    yield { ...this.#at('response.content_part.done'), part: contentPart(kind, text) };
    const item = this.#item('completed');
    this.#open = null;
    yield this.#finish(item);
  }

  *#call({ id, name, arguments: args }: ToolCall): Generator<Told> {
    const index = this.#index;
    const item_id = `${this.#turnId}-${index}`;
    const custom = this.#customTools.has(name);
    const head = { id: item_id, call_id: id, name };
    const event = (type: string, fields: object): Told => ({ type, item_id, output_index: index, ...fields });
    if (custom) {
      const input = inputOf(args);
      yield this.#added({ ...head, type: 'custom_tool_call', input: '' });
      yield event('response.custom_tool_call_input.delta', { delta: input });
      yield event('response.custom_tool_call_input.done', { input });
      yield this.#finish({ ...head, type: 'custom_tool_call', input });
    } else {
      const item = { ...head, type: 'function_call' };
      yield this.#added({ ...item, arguments: '', status: 'in_progress' });
      yield event('response.function_call_arguments.delta', { delta: args });
      yield event('response.function_call_arguments.done', { arguments: args, name });
      yield this.#finish({ ...item, arguments: args, status: 'completed' });
    }
  }

  get #index(): number {
    return this.done.length;
  }

  #item(status: 'in_progress' | 'completed'): object {
    const { kind, text } = this.#open ?? { kind: 'content', text: '' };
    const content = status === 'completed' ? [contentPart(kind, text)] : [];
    const head = { id: `${this.#turnId}-${this.#index}`, status, content };
    return kind === 'content'
      ? { ...head, type: 'message', role: 'assistant' }
      : { ...head, type: 'reasoning', summary: [] };
  }

  #added(item: object): Told {
    return { type: 'response.output_item.added', output_index: this.#index, item };
  }

  #finish(item: object): Told {
    const told = { type: 'response.output_item.done', output_index: this.#index, item };
    this.done.push(item);
    return told;
  }

  #at(type: string): Told {
    return { type, item_id: `${this.#turnId}-${this.#index}`, output_index: this.#index, content_index: 0 };
  }
}

function passOver(events: Generator): void {
  while (!events.next().done);
}

function partsOf({ reasoning, content, toolCalls }: AnswerMessage): AnswerPart[] {
  return [
    { type: 'reasoning', text: reasoning },
    { type: 'content', text: content },
    ...toolCalls.map((call, index) => ({ type: 'call' as const, index, call })),
  ];
}

function contentPart(kind: ItemKind, text: string): object {
  return kind === 'content'
    ? { type: 'output_text', text, annotations: [], logprobs: [] }
    : { type: 'reasoning_text', text };
}

/** What the model wrote for a tool whose input is any text; the arguments as they are when it wrote something else. */
function inputOf(args: string): string {
  const parsed: unknown = JSON.parse(args);
  const input = typeof parsed === 'object' && parsed !== null && 'input' in parsed ? parsed.input : null;
  return typeof input === 'string' ? input : args;
}

function envelope(begun: Begun, { echo }: Request, createdAtS: number): object {
  return {
    id: begun.turnId,
    object: 'response',
    created_at: createdAtS,
    model: begun.version,
    error: null,
    incomplete_details: null,
    metadata: {},
    ...echo,
  };
}

function whole(
  head: object,
  begun: Begun,
  finished: Finished | undefined,
  output: readonly object[],
): object {
  const cut = finished?.finishReason === 'length';
  return {
    ...head,
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output,
    usage: finished ? usage(begun, finished) : null,
  };
}

function usage(begun: Begun, { message, completionTokens, cachedTokens }: Finished): object {
  const { tokenizer } = begun.prompt;
  return {
    input_tokens: begun.promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: tokenizer.countTokens(message.reasoning) },
    total_tokens: begun.promptTokens + completionTokens,
  };
}
