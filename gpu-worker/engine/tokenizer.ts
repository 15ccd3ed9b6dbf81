/** Text for the engine: tokenizer and chat template of the model folder, and text that grows token by token. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { TokenizerFiles } from '../../agent-server/protocol/link.ts';

const ModelConfig = z.object({
  max_position_embeddings: z.number().int(),
  eos_token_id: z.union([z.number().int(), z.array(z.number().int())]).nullish(),
});
const GenerationConfig = ModelConfig.pick({ eos_token_id: true });
const SpecialToken = z.union([
  z.string(),
  z.object({ content: z.string() }).transform((token) => token.content),
]);

/** What a decoder writes for bytes that are not a whole character yet. */
const REPLACEMENT = '\ufffd';

export class ModelTokenizer {
  readonly files: TokenizerFiles;
  readonly #tokenizer: Tokenizer;
  readonly #template: Template;

  constructor(files: TokenizerFiles) {
    this.files = files;
    this.#tokenizer = new Tokenizer(files.tokenizer, files.config);
    this.#template = new Template(files.chatTemplate);
  }

  encode(text: string, special: { addSpecialTokens: boolean }): number[] {
    if (text === '') return [];
    return this.#tokenizer.encode(text, { add_special_tokens: special.addSpecialTokens }).ids;
  }

  decode(ids: readonly number[], special: { skipSpecialTokens: boolean }): string {
    if (ids.length === 0) return '';
    return this.#tokenizer.decode([...ids], { skip_special_tokens: special.skipSpecialTokens });
  }

  /** The prompt of a conversation, up to where the assistant's answer begins. */
  renderChat(messages: readonly { role: string; content: string }[]): string {
    const token = (key: string) => SpecialToken.safeParse(this.files.config[key]).data ?? '';
    return this.#template.render({
      messages,
      add_generation_prompt: true,
      bos_token: token('bos_token'),
      eos_token: token('eos_token'),
    });
  }
}

/**
 * Reads a Hugging Face model folder. `contextLimit`: tokens that the engine takes, where that is less than the model
 * does. Throws setup_failed naming the file that is missing or malformed.
 */
export async function loadTokenizer(
  folder: string,
  contextLimit: number = Number.POSITIVE_INFINITY,
): Promise<ModelTokenizer> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'), z.record(z.string(), z.unknown()));
  const config = await readJson(join(folder, 'tokenizer_config.json'), z.record(z.string(), z.unknown()));
  const model = await readJson(join(folder, 'config.json'), ModelConfig);
  const generation = await readOptional(join(folder, 'generation_config.json'));
  const eos =
    (generation ? GenerationConfig.parse(JSON.parse(generation)).eos_token_id : null) ?? model.eos_token_id;
  const inConfig = config['chat_template'];
  const chatTemplate =
    (await readOptional(join(folder, 'chat_template.jinja'))) ??
    (typeof inConfig === 'string' ? inConfig : null);
  if (chatTemplate === null) {
    throw new ApprenticeError(
      'setup_failed',
      `${folder} has no chat template.`,
      'Use a model tuned for chat.',
    );
  }
  return new ModelTokenizer({
    tokenizer,
    config,
    chatTemplate,
    eosTokenIds: eos === null || eos === undefined ? [] : [eos].flat(),
    contextLength: Math.min(model.max_position_embeddings, contextLimit),
  });
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ApprenticeError('setup_failed', `${file}: ${reason}`, 'Run the set-up again.', {
      cause: error,
    });
  }
}

async function readOptional(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Text of a growing response. A character whose bytes have not all come, and the beginning of what may become a
 * stop string, are held back, so that text once shown never changes.
 */
export class GrowingText {
  readonly #tokenizer: ModelTokenizer;
  readonly #stops: readonly string[];
  readonly #skipSpecialTokens: boolean;
  readonly #ids: number[] = [];
  #text = '';
  /** Tokens before this are in `#text`; decoding starts a little earlier because spaces depend on neighbours. */
  #decodedEnd = 0;
  #contextStart = 0;
  #matched: string | null = null;

  constructor(tokenizer: ModelTokenizer, stops: readonly string[], skipSpecialTokens: boolean) {
    this.#tokenizer = tokenizer;
    this.#stops = stops;
    this.#skipSpecialTokens = skipSpecialTokens;
  }

  /** The stop string that ended it. */
  get matched(): string | null {
    return this.#matched;
  }

  /** What may be shown so far. */
  get text(): string {
    if (this.#matched !== null) return this.#text;
    return this.#text.slice(0, this.#text.length - heldBack(this.#text, this.#stops));
  }

  push(ids: readonly number[]): void {
    this.#ids.push(...ids);
    const before = this.#decode(this.#contextStart, this.#decodedEnd);
    const after = this.#decode(this.#contextStart, this.#ids.length);
    if (after.endsWith(REPLACEMENT)) return;
    this.#append(after.slice(before.length));
    this.#contextStart = this.#decodedEnd;
    this.#decodedEnd = this.#ids.length;
  }

  /** The whole text once nothing follows: what was held back belongs to it, broken characters as U+FFFD. */
  end(): string {
    const before = this.#decode(this.#contextStart, this.#decodedEnd);
    const after = this.#decode(this.#contextStart, this.#ids.length);
    this.#append(after.slice(before.length));
    this.#decodedEnd = this.#ids.length;
    return this.#text;
  }

  #append(added: string): void {
    if (this.#matched !== null || added === '') return;
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length));
    const from = Math.max(0, this.#text.length - longest);
    this.#text += added;
    let first = -1;
    for (const stop of this.#stops) {
      const at = this.#text.indexOf(stop, from);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
        this.#matched = stop;
      }
    }
    if (first >= 0) this.#text = this.#text.slice(0, first);
  }

  #decode(start: number, end: number): string {
    return this.#tokenizer.decode(this.#ids.slice(start, end), {
      skipSpecialTokens: this.#skipSpecialTokens,
    });
  }
}

/** Length of the longest tail of `text` that begins one of `stops`. */
function heldBack(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
