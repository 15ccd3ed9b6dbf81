/** An answer as it grows, taken apart: reasoning, text, tool calls. Marks are left to the parsers of each. */
import type { AnswerMessage, ToolCall } from '../protocol/gateway.ts';
import type { TurnId } from '../protocol/ids.ts';
import { ReasoningParser, type Split } from './reasoning-parser.ts';
import { type ParsedCall, ToolCallParser, type ToolFormat, type ToolPart } from './tool-call-parser.ts';

export type AnswerPart =
  | { type: 'reasoning'; text: string }
  | { type: 'content'; text: string }
  | { type: 'call'; index: number; call: ToolCall };

export interface AnswerShape {
  /** `opened`: the prompt ends inside the reasoning. */
  reasoning: 'plain' | 'opened';
  /** `whole`: calls are looked for by somebody else, in the whole answer. Null: no tools were offered. */
  tools: ToolFormat | 'whole' | null;
  /** The client takes one call at most (`parallel_tool_calls: false`); what is called beyond it is left out. */
  calls: 'one' | 'several';
}

export class AnswerParser {
  readonly message: AnswerMessage = { content: '', reasoning: '', toolCalls: [] };
  /** The answer as the model wrote it, reasoning aside. */
  text = '';
  readonly #shape: AnswerShape;
  readonly #callId: (index: number) => string;
  readonly #reasoning: ReasoningParser;
  readonly #tools: ToolCallParser | null;

  constructor(shape: AnswerShape, callId: (index: number) => string) {
    this.#shape = shape;
    this.#callId = callId;
    this.#reasoning = new ReasoningParser(shape.reasoning);
    this.#tools = shape.tools === null || shape.tools === 'whole' ? null : new ToolCallParser(shape.tools);
  }

  push(text: string): AnswerPart[] {
    return this.#take(this.#reasoning.push(text), (answer) => this.#tools?.push(answer));
  }

  /** What was held back, once nothing follows. With tools `whole` the text is still to be given to `take`. */
  end(): AnswerPart[] {
    return this.#take(this.#reasoning.end(), (answer) => [
      ...(this.#tools?.push(answer) ?? []),
      ...(this.#tools?.end() ?? []),
    ]);
  }

  /** The parts of a whole answer, found by somebody else. */
  take(parts: readonly ToolPart[]): AnswerPart[] {
    return parts.flatMap((part) =>
      part.type === 'content' ? this.#content(part.text) : this.#call(part.call),
    );
  }

  #take(split: Split, parse: (answer: string) => readonly ToolPart[] | undefined): AnswerPart[] {
    this.message.reasoning += split.reasoning;
    this.text += split.answer;
    const reasoning: AnswerPart[] =
      split.reasoning === '' ? [] : [{ type: 'reasoning', text: split.reasoning }];
    if (this.#shape.tools === 'whole') return reasoning;
    if (this.#tools === null) return [...reasoning, ...this.#content(split.answer)];
    return [...reasoning, ...this.take(parse(split.answer) ?? [])];
  }

  #content(text: string): AnswerPart[] {
    if (text === '') return [];
    this.message.content += text;
    return [{ type: 'content', text }];
  }

  #call(parsed: ParsedCall): AnswerPart[] {
    const index = this.message.toolCalls.length;
    if (index > 0 && this.#shape.calls === 'one') return [];
    const call: ToolCall = { id: this.#callId(index), ...parsed };
    this.message.toolCalls.push(call);
    return [{ type: 'call', index, call }];
  }
}

/** The same for the same turn, and short enough for every client (OpenAI's are 29 characters). */
export function callId(turnId: TurnId, index: number): string {
  return `call_${turnId.replaceAll('-', '').slice(0, 24)}${index}`;
}

/** The new text of the answer proper. */
export function contentOf(parts: readonly AnswerPart[]): string {
  return parts.map((part) => (part.type === 'content' ? part.text : '')).join('');
}
