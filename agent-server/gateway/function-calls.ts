/**
 * Which way a model's tool calls are read: by our own parser, or by the engine's where the format is not ours and
 * the engine (SGLang) has one. Remembers what the engine said for as long as the model stays the same.
 */
import type { FunctionCallEngine } from '../engine/engine.ts';
import { type ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { ToolDefinition } from '../protocol/gateway.ts';
import type { ChatPrompt } from './chat-template.ts';
import type { ToolCallSetting } from './config.ts';
import type { ToolFormat, ToolPart } from './tool-call-parser.ts';

const ENGINE_PREFIX = 'sglang:';

export class FunctionCalls {
  readonly #setting: ToolCallSetting;
  readonly #engine: FunctionCallEngine | null;
  readonly #onError: (error: ApprenticeError) => void;
  #asked: { prompt: ChatPrompt; parser: string | null } | undefined;

  /** `engine` null: it parses nothing. `onError` hears why an engine's parser was not used. */
  constructor(
    setting: ToolCallSetting,
    engine: FunctionCallEngine | null,
    onError: (error: ApprenticeError) => void = () => undefined,
  ) {
    this.#setting = setting;
    this.#engine = engine;
    this.#onError = onError;
  }

  /** `whole`: the engine reads the whole answer with `parse`. Null: calls of this model stay text. */
  async format(prompt: ChatPrompt, signal: AbortSignal): Promise<ToolFormat | 'whole' | null> {
    if (this.#setting === 'hermes' || this.#setting === 'llama3') return this.#setting;
    if (this.#setting === 'none') return null;
    if (this.#setting === 'auto' && prompt.tools.format !== null) return prompt.tools.format;
    return (await this.#parser(prompt, signal)) === null ? null : 'whole';
  }

  /** Calls that the engine's parser finds. When it fails the answer is text: the model's work is not thrown away. */
  async parse(
    prompt: ChatPrompt,
    text: string,
    tools: readonly ToolDefinition[],
    signal: AbortSignal,
  ): Promise<ToolPart[]> {
    try {
      const parser = await this.#parser(prompt, signal);
      if (parser === null || this.#engine === null) return [{ type: 'content', text }];
      const found = await this.#engine.parseFunctionCall({ text, tools, parser }, signal);
      return [
        { type: 'content', text: found.text },
        ...found.calls.map((call) => ({ type: 'call' as const, call })),
      ];
    } catch (error) {
      if (signal.aborted) throw error;
      this.#onError(toApprenticeError(error));
      return [{ type: 'content', text }];
    }
  }

  async #parser(prompt: ChatPrompt, signal: AbortSignal): Promise<string | null> {
    if (this.#setting.startsWith(ENGINE_PREFIX)) return this.#setting.slice(ENGINE_PREFIX.length);
    if (this.#asked?.prompt !== prompt) {
      const parser = (await this.#engine?.toolCallParser(signal)) ?? null;
      this.#asked = { prompt, parser };
    }
    return this.#asked.parser;
  }
}
