/**
 * Text to token ids, with special tokens only where they are trusted. The tokenizer library turns every
 * `<|im_start|>` in its input into the control token; here special tokens are cut out first and only plain
 * text reaches the library, built without them. Rendering the chat template is left to chat-template.ts.
 */
import { Tokenizer as PlainTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import type { TokenizerFiles } from '../protocol/link.ts';

const AddedToken = z.looseObject({
  id: z.number().int(),
  content: z.string().min(1),
  special: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
});
type AddedToken = z.infer<typeof AddedToken>;

export class Tokenizer {
  readonly contextLength: number;
  readonly specialTexts: readonly string[];
  readonly #plain: PlainTokenizer;
  readonly #specialByText: ReadonlyMap<string, AddedToken>;
  readonly #specialById: ReadonlyMap<number, AddedToken>;
  readonly #split: RegExp | null;

  /** Throws `setup_failed` for a tokenizer.json that does not parse. */
  constructor(files: TokenizerFiles) {
    const parsed = z.array(AddedToken).safeParse(files.tokenizer['added_tokens'] ?? []);
    if (!parsed.success)
      throw new ApprenticeError(
        'setup_failed',
        `The added_tokens of the model's tokenizer.json do not parse: ${z.prettifyError(parsed.error)}`,
        'Set up the model folder again.',
      );
    const special = parsed.data.filter((token) => token.special);
    this.contextLength = files.contextLength;
    this.specialTexts = special.map((token) => token.content);
    this.#specialByText = new Map(special.map((token) => [token.content, token]));
    this.#specialById = new Map(special.map((token) => [token.id, token]));
    // The longest first, as the reference's trie matches.
    const texts = this.specialTexts.toSorted((a, b) => b.length - a.length);
    this.#split = texts.length === 0 ? null : new RegExp(`(${texts.map(escapeRegExp).join('|')})`);
    this.#plain = new PlainTokenizer(
      { ...files.tokenizer, added_tokens: parsed.data.filter((token) => !token.special) },
      files.config,
    );
  }

  /** Ids of plain text: whatever looks like a special token in it is spelt out. */
  encodePlain(text: string): number[] {
    return text === '' ? [] : this.#plain.encode(text, { add_special_tokens: false }).ids;
  }

  /**
   * Ids of a rendered template: special tokens count as such, `guard` characters are dropped. A guard put
   * inside the text of a special token is what keeps it plain.
   */
  encodeTrusted(text: string, guard: string): number[] {
    const parts = this.#split ? text.split(this.#split) : [text];
    return parts.flatMap((part, index) => {
      const special = this.#specialByText.get(part);
      if (special) return [special.id];
      const before = this.#specialByText.get(parts[index - 1] ?? '');
      const after = this.#specialByText.get(parts[index + 1] ?? '');
      let plain = part.replaceAll(guard, '');
      if (before?.rstrip) plain = plain.trimStart();
      if (after?.lstrip) plain = plain.trimEnd();
      return this.encodePlain(plain);
    });
  }

  /** Text of one token; U+FFFD where it is only a part of a character. */
  tokenText(id: number): string {
    return (
      this.#specialById.get(id)?.content ??
      this.#plain.decode([id], { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    );
  }

  /** How many tokens a text is by itself. */
  readonly countTokens = (text: string): number => this.encodePlain(text).length;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
