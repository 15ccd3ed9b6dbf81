/**
 * Messages to prompt ids through the model's own chat template. Content is untrusted: a diff or a terminal may
 * hold `<|im_end|>`, and must not end the user's turn with it.
 *
 * How content stays content: a guard (a private-use character that occurs in none of the texts) is put inside
 * every special token's text found in a message, and at an edge of a message that could complete one together
 * with the template's own text. The template is then rendered as always, special tokens are cut out of the
 * result, and guards are dropped from what is plain. The ids of messages without such text are exactly those of
 * the ordinary way, merges across the seams of template and content included.
 */
import { Template } from '@huggingface/jinja';
import { ApprenticeError } from '../protocol/errors.ts';
import type { ChatMessage, PlainMessage } from '../protocol/gateway.ts';
import type { TokenizerFiles } from '../protocol/link.ts';
import { Tokenizer } from './tokenizer.ts';

/** Parts joined, `developer` read as `system`; `name` is dropped, as templates here have no place for it. */
export function plainMessages(messages: readonly ChatMessage[]): PlainMessage[] {
  return messages.map((message) => ({
    role: message.role === 'developer' ? 'system' : message.role,
    content:
      typeof message.content === 'string'
        ? message.content
        : message.content.map((part) => part.text).join(''),
  }));
}

/** One model's chat template and tokenizer. */
export class ChatPrompt {
  readonly tokenizer: Tokenizer;
  readonly #template: Template;
  readonly #templateText: string;
  readonly #tokens: Record<string, unknown>;
  readonly #endOfTurn: number;

  /** Throws `setup_failed` when the template or the tokenizer does not parse. */
  constructor(files: TokenizerFiles) {
    this.tokenizer = new Tokenizer(files);
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
  ids(messages: readonly PlainMessage[]): number[] {
    const guard = unusedCharacter([this.#templateText, ...messages.map((message) => message.content)]);
    const guarded = messages.map((message) => ({
      role: message.role,
      content: guardSpecials(message.content, this.tokenizer.specialTexts, guard),
    }));
    return this.tokenizer.encodeTrusted(this.#render(guarded, 'with'), guard);
  }

  /** Ids of a given answer as the policy would have generated it: the text, then the end of the turn. */
  responseIds(text: string): number[] {
    return [...this.tokenizer.encodePlain(text), this.#endOfTurn];
  }

  #render(
    messages: readonly { role: string; content: string }[],
    generationPrompt: 'with' | 'without',
  ): string {
    try {
      const add_generation_prompt = generationPrompt === 'with';
      return this.#template.render({ ...this.#tokens, messages, add_generation_prompt });
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
    const exchange: PlainMessage[] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    const ids = this.tokenizer.encodeTrusted(this.#render(exchange, 'without'), '');
    const found = ids.findLast((id) => eosTokenIds.includes(id)) ?? eosTokenIds[0];
    if (found !== undefined) return found;
    throw new ApprenticeError(
      'setup_failed',
      'The model names no token that ends a response.',
      'Set up the model folder again.',
    );
  }
}

function guardSpecials(content: string, specials: readonly string[], guard: string): string {
  let guarded = content;
  for (const special of specials) {
    guarded = guarded.replaceAll(special, `${special.slice(0, 1)}${guard}${special.slice(1)}`);
  }
  const beginsInside = specials.some((special) =>
    anyCut(special, (cut) => guarded.startsWith(special.slice(cut))),
  );
  const endsInside = specials.some((special) =>
    anyCut(special, (cut) => guarded.endsWith(special.slice(0, cut))),
  );
  return `${beginsInside ? guard : ''}${guarded}${endsInside ? guard : ''}`;
}

function anyCut(text: string, test: (cut: number) => boolean): boolean {
  for (let cut = 1; cut < text.length; cut++) if (test(cut)) return true;
  return false;
}

function unusedCharacter(texts: readonly string[]): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!texts.some((text) => text.includes(character))) return character;
  }
  throw new ApprenticeError(
    'invalid_request',
    'The messages use every private-use character of Unicode.',
    'Remove the binary content.',
  );
}

/** tokenizer_config.json holds a token as its text or as an object with `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'content' in value && typeof value.content === 'string')
    return value.content;
  return undefined;
}
