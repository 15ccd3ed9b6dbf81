/** A tokenizer small enough to read: one token a byte, plus the two marks of a chat. In the real files' format. */
import type { TokenizerFiles } from '../../agent-server/protocol/link.ts';

export const CHAT_START_ID = 256;
export const CHAT_END_ID = 257;
export const FAKE_VOCABULARY_SIZE = 258;

/** Byte-level BPE shows each byte as one printable character: printable ones as themselves, the others from U+0100. */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    if (printable(byte)) return String.fromCodePoint(byte);
    next += 1;
    return String.fromCodePoint(next - 1);
  });
}

const specials = [
  { id: CHAT_START_ID, content: '<|im_start|>' },
  { id: CHAT_END_ID, content: '<|im_end|>' },
];

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

export function fakeTokenizerFiles(contextLength: number, chatTemplate = CHAT_TEMPLATE): TokenizerFiles {
  const vocab = Object.fromEntries(byteCharacters().map((character, byte) => [character, byte]));
  for (const { id, content } of specials) vocab[content] = id;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    tokenizer: {
      version: '1.0',
      added_tokens: specials.map((token) => ({
        ...token,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: { type: 'BPE', vocab, merges: [], unk_token: null, byte_fallback: false },
    },
    config: { bos_token: '<|im_start|>', eos_token: '<|im_end|>', clean_up_tokenization_spaces: false },
    chatTemplate,
    eosTokenIds: [CHAT_END_ID],
    contextLength,
  };
}
