/**
 * Is a GGUF file that the user names the model in the model folder? The trainer trains what the folder holds, so that
 * another model's file would be served with adapters that were made for something else. Sizes, vocabulary and the
 * vectors of the norms, which no quantisation touches, have to be the same.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { type GgufHeader, readF32, readGgufHeader } from './gguf-header.ts';
import type { ModelShape } from './model-shape.ts';
import { readFloats, tensorsIn } from './safetensors.ts';

/** Both come from the same numbers of 16 or 32 bits. */
const NORM_TOLERANCE = 1e-3;
const SIZE_TOLERANCE = 1e-6;
/** Some converters write spaces and control tokens in words of their own. */
const TOKENS_THAT_MAY_DIFFER = 0.01;

const TokenizerFile = z.looseObject({
  model: z.looseObject({
    vocab: z.union([z.record(z.string(), z.number()), z.array(z.tuple([z.string(), z.number()]))]),
  }),
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string() })).default([]),
});

/** What the file holds, once it is known to fit. Throws `setup_failed` that says what does not. */
export async function checkGguf(file: string, folder: string, shape: ModelShape): Promise<GgufHeader> {
  const header = await readGgufHeader(file);
  const family = header.metadata.get('general.architecture');
  if (family !== shape.architecture)
    throw misfit(file, folder, `it is of the family ${String(family)}, not ${shape.architecture}`);
  for (const [key, wanted, byDefault] of expected(shape)) {
    const found = header.metadata.get(`${shape.architecture}.${key}`) ?? byDefault;
    if (typeof found !== 'number' || Math.abs(found - wanted) > SIZE_TOLERANCE * Math.abs(wanted))
      throw misfit(file, folder, `${key} is ${String(found)} there and ${wanted} here`);
  }
  const [rows, width] = header.tensors.get('token_embd.weight')?.shape ?? [];
  if (rows !== shape.vocabulary || width !== shape.hidden)
    throw misfit(file, folder, `its vocabulary is of ${String(rows)} tokens, not ${shape.vocabulary}`);
  await compareTokens(file, folder, header);
  await compareNorms(file, folder, header);
  return header;
}

/** Third is what llama.cpp takes where a file says nothing. */
function expected(shape: ModelShape): [key: string, wanted: number, byDefault?: number][] {
  return [
    ['embedding_length', shape.hidden],
    ['block_count', shape.layers],
    ['feed_forward_length', shape.intermediate],
    ['attention.head_count', shape.heads],
    ['attention.head_count_kv', shape.kvHeads],
    ['attention.key_length', shape.headSize, shape.hidden / shape.heads],
    ['attention.layer_norm_rms_epsilon', shape.epsilon],
    ['rope.freq_base', shape.ropeTheta, 10_000],
  ];
}

/** Prompts are made into ids by the folder's tokenizer; the file's has to mean the same by them. */
async function compareTokens(file: string, folder: string, { metadata }: GgufHeader): Promise<void> {
  const theirs = metadata.get('tokenizer.ggml.tokens');
  // One that was converted here has none.
  if (!Array.isArray(theirs)) return;
  const { model, added_tokens } = TokenizerFile.parse(
    JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8')),
  );
  const pieces: [string, number][] = Array.isArray(model.vocab)
    ? model.vocab.map(([piece], id) => [piece, id])
    : Object.entries(model.vocab);
  const own = new Map(pieces.map(([text, id]) => [id, text]));
  for (const { id, content } of added_tokens) own.set(id, content);
  let others = 0;
  for (const [id, text] of own) if (theirs[id] !== text) others += 1;
  if (others > own.size * TOKENS_THAT_MAY_DIFFER)
    throw misfit(file, folder, `${others} of ${own.size} tokens are others`);
}

async function compareNorms(file: string, folder: string, header: GgufHeader): Promise<void> {
  const stored = await tensorsIn(folder);
  for (const [theirName, ownName] of [
    ['output_norm.weight', 'model.norm.weight'],
    ['blk.0.attn_norm.weight', 'model.layers.0.input_layernorm.weight'],
    ['blk.0.ffn_norm.weight', 'model.layers.0.post_attention_layernorm.weight'],
  ] as const) {
    const tensor = stored.get(ownName);
    if (tensor === undefined) throw misfit(file, folder, `the folder has no ${ownName}`);
    const own = await readFloats(tensor);
    const theirs = await readF32(file, header, theirName).catch((error: unknown) => {
      throw misfit(file, folder, error instanceof Error ? error.message : String(error));
    });
    if (
      theirs.length !== own.length ||
      theirs.some((value, index) => !close(value, own[index] ?? Number.NaN))
    )
      throw misfit(file, folder, `${theirName} holds other numbers: another training of this model`);
  }
}

function close(a: number, b: number): boolean {
  return Math.abs(a - b) <= NORM_TOLERANCE * Math.max(1, Math.abs(b));
}

function misfit(file: string, folder: string, why: string): ApprenticeError {
  return new ApprenticeError(
    'setup_failed',
    `${file} is not the model in ${folder}: ${why}.`,
    'Name a GGUF file of the very model that is trained, or none: then it is made from the folder.',
  );
}
