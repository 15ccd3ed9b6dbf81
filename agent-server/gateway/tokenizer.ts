/**
 * Text to token ids, with control tokens only where they are trusted. The tokenizer library turns every
 * `<|im_start|>` in its input into the control token; here control tokens are cut out first and only plain
 * text reaches the library, built without them. Rendering the chat template is left to chat-template.ts.
 *
 * Control tokens are the special ones, and those tags of the vocabulary that the chat template itself writes
 * (`<tool_call>`, `<think>`): Qwen's are not marked special, and a tool's output must no more open one of them.
 */
import { Tokenizer as PlainTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import type { TokenizerFiles } from '../protocol/link.ts';
import { escapeRegExp } from './guard-text.ts';

const AddedToken = z.looseObject({
  id: z.number().int(),
  content: z.string().min(1),
  special: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
});
type AddedToken = z.infer<typeof AddedToken>;

const TAG = /^<.+>$/;

/** Token counts that are remembered, of texts up to a length: some 4 MB of text at most. */
const MAX_COUNTS = 1_000;
const MAX_COUNTED_CHARACTERS = 4_000;

export class Tokenizer {
  readonly contextLength: number;
  readonly controlTexts: readonly string[];
  readonly #plain: PlainTokenizer;
  readonly #controlByText: ReadonlyMap<string, AddedToken>;
  readonly #controlById: ReadonlyMap<number, AddedToken>;
  readonly #split: RegExp | null;
  readonly #counts = new Map<string, number>();

  /** Throws `setup_failed` for a tokenizer.json that does not parse. */
  constructor(files: TokenizerFiles) {
    const parsed = z.array(AddedToken).safeParse(files.tokenizer['added_tokens'] ?? []);
    if (!parsed.success)
      throw new ApprenticeError(
        'setup_failed',
        `The added_tokens of the model's tokenizer.json do not parse: ${z.prettifyError(parsed.error)}`,
        'Set up the model folder again.',
      );
    const isControl = (token: AddedToken): boolean =>
      token.special || (TAG.test(token.content) && files.chatTemplate.includes(token.content));
    const control = parsed.data.filter(isControl);
    this.contextLength = files.contextLength;
    this.controlTexts = control.map((token) => token.content);
    this.#controlByText = new Map(control.map((token) => [token.content, token]));
    this.#controlById = new Map(control.map((token) => [token.id, token]));
    // The longest first, as the reference's trie matches.
    const texts = this.controlTexts.toSorted((a, b) => b.length - a.length);
    this.#split = texts.length === 0 ? null : new RegExp(`(${texts.map(escapeRegExp).join('|')})`);
    this.#plain = new PlainTokenizer(
      { ...files.tokenizer, added_tokens: parsed.data.filter((token) => !isControl(token)) },
      files.config,
    );
  }

  /** Ids of plain text: whatever looks like a control token in it is spelt out. */
  encodePlain(text: string): number[] {
    return text === '' ? [] : this.#plain.encode(text, { add_special_tokens: false }).ids;
  }

  /**
   * Ids of a rendered template: control tokens count as such, `guard` characters are dropped. A guard put
   * inside the text of a control token is what keeps it plain.
   */
  encodeTrusted(text: string, guard: string): number[] {
    const parts = this.#split ? text.split(this.#split) : [text];
    return parts.flatMap((part, index) => {
      const control = this.#controlByText.get(part);
      if (control) return [control.id];
      const before = this.#controlByText.get(parts[index - 1] ?? '');
      const after = this.#controlByText.get(parts[index + 1] ?? '');
      let plain = part.replaceAll(guard, '');
      if (before?.rstrip) plain = plain.trimStart();
      if (after?.lstrip) plain = plain.trimEnd();
      return this.encodePlain(plain);
    });
  }

  /** Text of one token; U+FFFD where it is only a part of a character. */
  tokenText(id: number): string {
    return (
      this.#controlById.get(id)?.content ??
      this.#plain.decode([id], { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    );
  }

  /** Does an engine leave this text out of an answer, being a special token's? */
  isSpecial(text: string): boolean {
    return this.#controlByText.get(text)?.special ?? false;
  }

  /** How many tokens a text is by itself. Remembered: the same few lessons are counted for every prompt. */
  readonly countTokens = (text: string): number => {
    const known = this.#counts.get(text);
    if (known !== undefined) return known;
    const count = this.encodePlain(text).length;
    if (this.#counts.size >= MAX_COUNTS) this.#counts.clear();
    if (text.length <= MAX_COUNTED_CHARACTERS) this.#counts.set(text, count);
    return count;
  };
}
