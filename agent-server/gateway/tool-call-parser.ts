/**
 * Takes tool calls out of an answer as it grows, in the formats that models were taught to write. Pure and
 * incremental: text and calls do not depend on how the answer was cut. What does not parse as a call stays text,
 * exactly as it was written.
 *
 * - hermes (Qwen, Hermes): `<tool_call>{"name", "arguments"}</tool_call>`, several of them, or a list inside one;
 * - llama3: `{"name", "parameters"}` as the whole answer, or after `<|python_tag|>`, several parted by `;`.
 */
import { partialMark, scanJson } from './json-scan.ts';

export type ToolFormat = 'hermes' | 'llama3';

/** A call as the model wrote it; its id is given by whoever answers the client. */
export interface ParsedCall {
  name: string;
  /** JSON text of an object. */
  arguments: string;
}

export type ToolPart = { type: 'content'; text: string } | { type: 'call'; call: ParsedCall };

export const MARKS = {
  hermes: { open: '<tool_call>', close: '</tool_call>' },
  llama3: { open: '<|python_tag|>', close: ';' },
} as const;

export class ToolCallParser {
  readonly #format: ToolFormat;
  #held = '';
  /** Nothing but space and calls so far: where Llama's bare JSON is a call. */
  #atStart = true;
  /** After a call its closing mark, if it comes, belongs to it, and so does the space behind. */
  #leaving: 'mark' | 'space' | null = null;

  constructor(format: ToolFormat) {
    this.#format = format;
  }

  push(text: string): ToolPart[] {
    this.#held += text;
    return this.#parse('growing');
  }

  /** What was held back, once nothing follows. */
  end(): ToolPart[] {
    return this.#parse('ended');
  }

  #parse(input: 'growing' | 'ended'): ToolPart[] {
    const parts: ToolPart[] = [];
    for (;;) {
      const step = this.#step(input);
      if (step === null) return merged(parts);
      parts.push(...step);
    }
  }

  /** What the next piece of `#held` is; null when that takes more text, or none is left. */
  #step(input: 'growing' | 'ended'): ToolPart[] | null {
    if (this.#leaving !== null) return this.#leaveCall(this.#leaving, input);
    if (this.#held === '') return null;
    const { open } = MARKS[this.#format];
    const at = this.#held.indexOf(open);
    const bare = this.#bareStart();
    if (bare !== null && (at < 0 || bare < at)) return this.#call(bare, bare, input);
    if (at >= 0) return this.#call(at, at + open.length, input);
    if (input === 'ended') return this.#content(this.#held.length);
    // Space waits too: before a call it is dropped.
    const sure = this.#held.slice(0, this.#held.length - partialMark(this.#held, open)).trimEnd().length;
    return sure === 0 ? null : this.#content(sure);
  }

  /** Where Llama's JSON without a mark begins; null when this is no place for it. */
  #bareStart(): number | null {
    if (this.#format !== 'llama3' || !this.#atStart) return null;
    const start = this.#held.search(/\S/);
    return start >= 0 && this.#held.charAt(start) === '{' ? start : null;
  }

  /** A call whose mark begins at `mark` and whose JSON begins at or after `from`. */
  #call(mark: number, from: number, input: 'growing' | 'ended'): ToolPart[] | null {
    const space = this.#held.slice(from).search(/\S/);
    if (space < 0) return input === 'ended' ? this.#content(this.#held.length) : this.#before(mark);
    const start = from + space;
    if (!'{['.includes(this.#held.charAt(start))) return this.#content(start);
    const scan = scanJson(this.#held, start);
    if (scan.kind === 'incomplete')
      return input === 'ended' ? this.#content(this.#held.length) : this.#before(mark);
    if (scan.kind === 'invalid') return this.#content(scan.at);
    const calls = readCalls(this.#held.slice(start, scan.end));
    if (calls === null) return this.#content(scan.end);
    const before = this.#held.slice(0, mark).trimEnd();
    this.#held = this.#held.slice(scan.end);
    this.#leaving = 'mark';
    return [
      ...(before === '' ? [] : [{ type: 'content' as const, text: before }]),
      ...calls.map((call) => ({ type: 'call' as const, call })),
    ];
  }

  /** The text before a call that is still coming, which is sure to be text; null when there is none. */
  #before(mark: number): ToolPart[] | null {
    const sure = this.#held.slice(0, mark).trimEnd().length;
    return sure === 0 ? null : this.#content(sure);
  }

  #leaveCall(awaited: 'mark' | 'space', input: 'growing' | 'ended'): ToolPart[] | null {
    const { close } = MARKS[this.#format];
    this.#held = this.#held.trimStart();
    if (awaited === 'mark' && input === 'growing' && close.length > this.#held.length) {
      if (close.startsWith(this.#held)) return null;
    }
    const closed = awaited === 'mark' && this.#held.startsWith(close);
    if (closed) this.#held = this.#held.slice(close.length);
    else if (this.#held === '' && input === 'growing') return null;
    this.#leaving = closed ? 'space' : null;
    return [];
  }

  #content(length: number): ToolPart[] {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    if (text.trim() !== '') this.#atStart = false;
    return [{ type: 'content', text }];
  }
}

/** Neighbouring texts as one, so that what is told does not show where the parser stopped to think. */
function merged(parts: readonly ToolPart[]): ToolPart[] {
  const all: ToolPart[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (part.type === 'content' && last?.type === 'content') last.text += part.text;
    else all.push({ ...part });
  }
  return all;
}

/** Null: no call. Arguments that a model wrote as JSON in a string are taken out of it. */
function readCalls(json: string): ParsedCall[] | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  const calls = (Array.isArray(value) ? value : [value]).map(readCall);
  return calls.length > 0 && calls.every((call) => call !== null) ? calls : null;
}

function readCall(value: unknown): ParsedCall | null {
  if (!isRecord(value) || typeof value['name'] !== 'string' || value['name'] === '') return null;
  let given = value['arguments'] ?? value['parameters'] ?? {};
  if (typeof given === 'string') {
    try {
      given = JSON.parse(given);
    } catch {
      return null;
    }
  }
  return isRecord(given) ? { name: value['name'], arguments: JSON.stringify(given) } : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
