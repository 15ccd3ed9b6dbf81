/**
 * What llama.cpp is told of a model: its sizes, read from config.json, and the names of its tensors. Llama, Qwen2 and
 * Qwen3 (dense); others are refused, as a name or an order of rows that is guessed gives wrong numbers and no error.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

const count = z.number().int().min(1);
const Rope = z.looseObject({
  rope_type: z.string().optional(),
  /** Its name before transformers 4.43. */
  type: z.string().optional(),
  rope_theta: z.number().optional(),
  factor: z.number().optional(),
});
const Llama3 = z.looseObject({
  factor: z.number(),
  low_freq_factor: z.number(),
  high_freq_factor: z.number(),
  original_max_position_embeddings: count,
});
const ModelConfig = z.object({
  model_type: z.string(),
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  max_position_embeddings: count,
  rms_norm_eps: z.number(),
  hidden_act: z.string().default('silu'),
  use_sliding_window: z.boolean().nullish(),
  /** Since transformers 5 in the place of the other two. */
  rope_parameters: Rope.nullish(),
  rope_scaling: Rope.nullish(),
  rope_theta: z.number().nullish(),
});

export type RopeScaling =
  | { kind: 'none' }
  | { kind: 'linear'; factor: number }
  | { kind: 'llama3'; factor: number; lowFactor: number; highFactor: number; originalContext: number };

export interface ModelShape {
  /** llama.cpp's name of the family. */
  architecture: 'llama' | 'qwen2' | 'qwen3';
  hidden: number;
  intermediate: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  vocabulary: number;
  contextLength: number;
  epsilon: number;
  ropeTheta: number;
  rope: RopeScaling;
}

/** Throws `setup_failed` for a folder that is no model, and for a model that is not carried over here. */
export async function readModelShape(folder: string): Promise<ModelShape> {
  const file = join(folder, 'config.json');
  let config: z.infer<typeof ModelConfig>;
  try {
    config = ModelConfig.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw refused(`${file} does not say how large the model is`, { cause });
  }
  const { model_type, num_attention_heads: heads, hidden_size: hidden } = config;
  if (model_type !== 'llama' && model_type !== 'qwen2' && model_type !== 'qwen3')
    throw refused(`${file}: models of the family ${model_type} are not carried over to llama.cpp`);
  if (config.hidden_act !== 'silu') throw refused(`${file}: hidden_act is ${config.hidden_act}`);
  if (config.use_sliding_window === true) throw refused(`${file}: a sliding window is not carried over`);
  const given = { ...config.rope_scaling, ...config.rope_parameters };
  return {
    architecture: model_type,
    hidden,
    intermediate: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads,
    kvHeads: config.num_key_value_heads ?? heads,
    headSize: config.head_dim ?? hidden / heads,
    vocabulary: config.vocab_size,
    contextLength: config.max_position_embeddings,
    epsilon: config.rms_norm_eps,
    ropeTheta: given.rope_theta ?? config.rope_theta ?? 10_000,
    rope: ropeScaling(file, given),
  };
}

function ropeScaling(file: string, given: z.infer<typeof Rope>): RopeScaling {
  const kind = given.rope_type ?? given.type ?? 'default';
  if (kind === 'default') return { kind: 'none' };
  if (kind === 'linear' && given.factor !== undefined) return { kind, factor: given.factor };
  const llama3 = Llama3.safeParse(given);
  if (kind !== 'llama3' || !llama3.success)
    throw refused(`${file}: positions scaled by ${kind} are not carried over`);
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = llama3.data;
  return {
    kind,
    factor,
    lowFactor: low_freq_factor,
    highFactor: high_freq_factor,
    originalContext: original_max_position_embeddings,
  };
}

/** A linear layer of every block: shape (out, in), and whether its rows stand in another order there. */
export interface Linear {
  /** In `blk.N.`. */
  gguf: string;
  out: number;
  in: number;
  /**
   * Heads by which rows are put in another order; null: they stay. llama.cpp turns neighbouring pairs for the family
   * `llama`, transformers the two halves of a head.
   */
  turnedHeads: number | null;
}

/** By the name within a block of a Hugging Face model, as `self_attn.q_proj`. */
export function linears(shape: ModelShape): Map<string, Linear> {
  const { hidden, intermediate, heads, kvHeads, headSize } = shape;
  const turned = (count: number) => (shape.architecture === 'llama' ? count : null);
  const all: [string, Linear][] = [
    ['self_attn.q_proj', { gguf: 'attn_q', out: heads * headSize, in: hidden, turnedHeads: turned(heads) }],
    [
      'self_attn.k_proj',
      { gguf: 'attn_k', out: kvHeads * headSize, in: hidden, turnedHeads: turned(kvHeads) },
    ],
    ['self_attn.v_proj', { gguf: 'attn_v', out: kvHeads * headSize, in: hidden, turnedHeads: null }],
    ['self_attn.o_proj', { gguf: 'attn_output', out: hidden, in: heads * headSize, turnedHeads: null }],
    ['mlp.gate_proj', { gguf: 'ffn_gate', out: intermediate, in: hidden, turnedHeads: null }],
    ['mlp.up_proj', { gguf: 'ffn_up', out: intermediate, in: hidden, turnedHeads: null }],
    ['mlp.down_proj', { gguf: 'ffn_down', out: hidden, in: intermediate, turnedHeads: null }],
  ];
  return new Map(all);
}

/** Vectors of every block, by the same names. */
export const NORMS: ReadonlyMap<string, string> = new Map([
  ['input_layernorm', 'attn_norm'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['self_attn.q_norm', 'attn_q_norm'],
  ['self_attn.k_norm', 'attn_k_norm'],
]);

/**
 * Rows of a tensor in llama.cpp's order: within a head of size D, row h*D + half*D/2 + i becomes row h*D + 2*i + half.
 * `rowBytes`: of one row.
 */
export function turnRows(bytes: Buffer, rowBytes: number, heads: number): Buffer {
  const rows = bytes.length / rowBytes;
  const size = rows / heads;
  const turned = Buffer.alloc(bytes.length);
  for (let row = 0; row < rows; row += 1) {
    const within = row % size;
    const half = within < size / 2 ? 0 : 1;
    const target = row - within + 2 * (within - (half * size) / 2) + half;
    bytes.copy(turned, target * rowBytes, row * rowBytes, (row + 1) * rowBytes);
  }
  return turned;
}

export function refused(what: string, options?: ErrorOptions): ApprenticeError {
  return new ApprenticeError(
    'setup_failed',
    `${what}.`,
    'Serve this model with the embedded engine or SGLang; llama.cpp serves Llama, Qwen2 and Qwen3 here.',
    options,
  );
}
