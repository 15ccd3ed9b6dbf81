/**
 * Messages to prompt ids through the model's own chat template. Content is untrusted: a diff, a tool's result or its
 * description may hold `<|im_end|>`, and must not end the user's turn with it (guard-text.ts says how).
 */
import { Template } from '@huggingface/jinja';
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage, ToolDefinition } from '../protocol/gateway.ts';
import type { TokenizerFiles } from '../protocol/link.ts';
import { ControlGuard, unusedCharacter } from './guard-text.ts';
import { THINK_OPEN } from './reasoning-parser.ts';
import { type TemplateTools, templateInput, templateTools } from './template-tools.ts';
import { Tokenizer } from './tokenizer.ts';

export interface RenderedPrompt {
  ids: number[];
  /** `opened`: the template has the answer begin inside the model's reasoning. */
  reasoning: 'plain' | 'opened';
}

/** One model's chat template and tokenizer. */
export class ChatPrompt {
  readonly tokenizer: Tokenizer;
  readonly tools: TemplateTools;
  readonly #guard: ControlGuard;
  readonly #template: Template;
  readonly #templateText: string;
  readonly #tokens: Record<string, unknown>;
  readonly #endOfTurn: number;

  /** Throws `setup_failed` when the template or the tokenizer does not parse. */
  constructor(files: TokenizerFiles) {
    this.tokenizer = new Tokenizer(files);
    this.tools = templateTools(files.chatTemplate);
    this.#guard = new ControlGuard(this.tokenizer.controlTexts);
    this.#templateText = files.chatTemplate;
    this.#tokens = Object.fromEntries(
      ['bos_token', 'eos_token', 'unk_token', 'pad_token'].map((name) => [
        name,
        tokenText(files.config[name]),
      ]),
    );
    try {
      this.#template = new Template(files.chatTemplate);
    } catch (error) {
      throw new ApprenticeError(
        'setup_failed',
        `The model's chat template does not parse: ${error instanceof Error ? error.message : String(error)}.`,
        'Set up the model folder again.',
        { cause: error },
      );
    }
    this.#endOfTurn = this.#findEndOfTurn(files.eosTokenIds);
  }

  /** Prompt ids up to where the assistant begins to answer. Throws `invalid_request` when the template refuses. */
  ids(messages: readonly PlainMessage[], tools: readonly ToolDefinition[] = []): number[] {
    return this.request(messages, tools).ids;
  }

  /** The same, with how the answer begins. */
  request(messages: readonly PlainMessage[], tools: readonly ToolDefinition[]): RenderedPrompt {
    const input = templateInput(this.tools, messages, tools);
    const guard = unusedCharacter(this.#templateText + JSON.stringify(input));
    // Names of fields are the template's; what they hold is content.
    const content = (fields: Record<string, unknown>): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [name, this.#guard.deep(value, guard)]),
      );
    const guarded = {
      messages: input.messages.map(({ role, ...fields }) => ({ role, ...content(fields) })),
      ...(input.tools === undefined ? {} : { tools: input.tools.map(content) }),
    };
    const text = this.#render(guarded, 'with');
    return {
      ids: this.tokenizer.encodeTrusted(text, guard),
      reasoning: text.trimEnd().endsWith(THINK_OPEN) ? 'opened' : 'plain',
    };
  }

  /** Ids of a given answer as the policy would have generated it: the text, then the end of the turn. */
  responseIds(text: string): number[] {
    return [...this.tokenizer.encodePlain(text), this.#endOfTurn];
  }

  #render(input: { messages: Record<string, unknown>[] }, generationPrompt: 'with' | 'without'): string {
    try {
      const add_generation_prompt = generationPrompt === 'with';
      return this.#template.render({ ...this.#tokens, ...input, add_generation_prompt });
    } catch (error) {
      throw new ApprenticeError(
        'invalid_request',
        `The model's chat template refuses these messages: ${error instanceof Error ? error.message : String(error)}.`,
        'Change the order or the roles of the messages.',
        { cause: error },
      );
    }
  }

  /** Of several ids that end a response, the one that this template puts after an answer. */
  #findEndOfTurn(eosTokenIds: readonly number[]): number {
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    const ids = this.tokenizer.encodeTrusted(this.#render({ messages }, 'without'), '');
    const found = ids.findLast((id) => eosTokenIds.includes(id)) ?? eosTokenIds[0];
    if (found !== undefined) return found;
    throw new ApprenticeError(
      'setup_failed',
      'The model names no token that ends a response.',
      'Set up the model folder again.',
    );
  }
}

/** tokenizer_config.json holds a token as its text or as an object with `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'content' in value && typeof value.content === 'string')
    return value.content;
  return undefined;
}
