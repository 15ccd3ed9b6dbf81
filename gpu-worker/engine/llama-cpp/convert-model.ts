/**
 * A Hugging Face folder as the GGUF file that llama.cpp serves: the same weights in the same type, but for vectors, which
 * it wants in float32, and bfloat16, which becomes float16 (halves.ts). Without a tokenizer: ids come from the model folder's own, so that nothing is carried over that
 * could differ.
 */
import { basename } from 'node:path';
import { type GgufTensor, type MetadataValue, writeGguf } from './gguf.ts';
import { toHalves } from './halves.ts';
import { linears, type ModelShape, NORMS, refused, turnRows } from './model-shape.ts';
import { readChunks, readFloats, readWhole, type StoredTensor, tensorsIn } from './safetensors.ts';

const BLOCK = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/;
const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ['model.embed_tokens.weight', 'token_embd.weight'],
  ['model.norm.weight', 'output_norm.weight'],
  ['lm_head.weight', 'output.weight'],
]);
/** Computed, not learnt; old files hold them. */
const IGNORED = /\.rotary_emb\.inv_freq$/;

/** Writes `file`. Throws `setup_failed` for a tensor that has no place in it, and what the disk says. */
export async function convertModel(
  folder: string,
  shape: ModelShape,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const stored = await tensorsIn(folder);
  const tensors: GgufTensor[] = [];
  for (const [name, tensor] of stored) if (!IGNORED.test(name)) tensors.push(placed(name, tensor, shape));
  for (const wanted of ['token_embd.weight', 'output_norm.weight'])
    if (!tensors.some(({ name }) => name === wanted)) throw refused(`${folder} has no ${wanted}`);
  if (shape.rope.kind === 'llama3')
    tensors.push(vector('rope_freqs.weight', llama3Factors(shape, shape.rope)));
  await writeGguf(file, metadata(folder, shape), tensors, signal);
}

function placed(name: string, tensor: StoredTensor, shape: ModelShape): GgufTensor {
  const outside = OUTSIDE.get(name);
  if (outside !== undefined) return carried(outside, tensor, null);
  const [, layer = '', module = '', kind = ''] = BLOCK.exec(name) ?? [];
  const linear = linears(shape).get(module);
  const gguf = linear?.gguf ?? NORMS.get(module);
  if (gguf === undefined) throw refused(`${tensor.file}: ${name} has no place in a model of llama.cpp`);
  const wanted = kind === 'bias' ? [linear?.out] : [linear?.out, linear?.in];
  if (linear && String(tensor.shape) !== String(wanted))
    throw refused(`${tensor.file}: ${name} has the shape ${tensor.shape}, config.json says ${wanted}`);
  return carried(`blk.${layer}.${gguf}.${kind}`, tensor, linear?.turnedHeads ?? null);
}

function carried(name: string, tensor: StoredTensor, turnedHeads: number | null): GgufTensor {
  const { shape, dtype } = tensor;
  if (shape.length === 1) {
    const read = async function* () {
      const bytes = Buffer.from((await readFloats(tensor)).buffer);
      yield turnedHeads === null ? bytes : turnRows(bytes, Float32Array.BYTES_PER_ELEMENT, turnedHeads);
    };
    return { name, shape, type: 'F32', chunks: read };
  }
  const own = async function* () {
    if (turnedHeads === null) yield* readChunks(tensor);
    else yield turnRows(await readWhole(tensor), tensor.sizeBytes / (shape[0] ?? 1), turnedHeads);
  };
  if (dtype !== 'BF16') return { name, shape, type: dtype, chunks: own };
  const halves = async function* () {
    for await (const chunk of own()) {
      if (!toHalves(chunk))
        throw refused(`${tensor.file}: ${name} holds numbers that float16 does not reach`);
      yield chunk;
    }
  };
  return { name, shape, type: 'F16', chunks: halves };
}

function vector(name: string, values: Float32Array): GgufTensor {
  return { name, shape: [values.length], type: 'F32', chunks: () => [new Uint8Array(values.buffer)] };
}

/**
 * What each frequency is divided by. Source: transformers, `_compute_llama3_parameters`; llama.cpp reads them as a tensor.
 */
export function llama3Factors(
  { headSize, ropeTheta }: Pick<ModelShape, 'headSize' | 'ropeTheta'>,
  rope: Extract<ModelShape['rope'], { kind: 'llama3' }>,
): Float32Array {
  const { factor, lowFactor, highFactor, originalContext } = rope;
  return Float32Array.from({ length: headSize / 2 }, (_, index) => {
    const wavelength = 2 * Math.PI * ropeTheta ** ((2 * index) / headSize);
    if (wavelength < originalContext / highFactor) return 1;
    if (wavelength > originalContext / lowFactor) return factor;
    const smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

function metadata(folder: string, shape: ModelShape): Map<string, MetadataValue> {
  const u32 = (value: number): MetadataValue => ({ type: 'u32', value });
  const f32 = (value: number): MetadataValue => ({ type: 'f32', value });
  const text = (value: string): MetadataValue => ({ type: 'string', value });
  const own: [string, MetadataValue][] = [
    ['context_length', u32(shape.contextLength)],
    ['embedding_length', u32(shape.hidden)],
    ['block_count', u32(shape.layers)],
    ['feed_forward_length', u32(shape.intermediate)],
    ['attention.head_count', u32(shape.heads)],
    ['attention.head_count_kv', u32(shape.kvHeads)],
    ['attention.key_length', u32(shape.headSize)],
    ['attention.value_length', u32(shape.headSize)],
    ['attention.layer_norm_rms_epsilon', f32(shape.epsilon)],
    ['rope.dimension_count', u32(shape.headSize)],
    ['rope.freq_base', f32(shape.ropeTheta)],
    ['vocab_size', u32(shape.vocabulary)],
  ];
  if (shape.rope.kind === 'linear')
    own.push(['rope.scaling.type', text('linear')], ['rope.scaling.factor', f32(shape.rope.factor)]);
  return new Map([
    ['general.architecture', text(shape.architecture)],
    ['general.type', text('model')],
    ['general.name', text(basename(folder))],
    ['tokenizer.ggml.model', text('none')],
    ...own.map(([key, value]): [string, MetadataValue] => [`${shape.architecture}.${key}`, value]),
  ]);
}
