/**
 * A LoRA adapter in PEFT's folder format as the GGUF file that llama.cpp loads, checked on the way: it refuses what the
 * embedded engine refuses (python/apprentice_worker/lora.py), in the same words.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { type GgufTensor, type MetadataValue, writeGguf } from './gguf.ts';
import { type Linear, linears, type ModelShape, turnRows } from './model-shape.ts';
import { readFloats, type StoredTensor, tensorsOf } from './safetensors.ts';

const KEY = /^base_model\.model\.(model\.layers\.(\d+)\.(.+))\.lora_([AB])\.weight$/;
const AdapterConfig = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.number().int().min(1),
  lora_alpha: z.number(),
  bias: z.string().default('none'),
  use_rslora: z.boolean().nullish(),
});
/** Each would change what the tensors mean. */
const UNSUPPORTED = ['use_dora', 'modules_to_save', 'rank_pattern', 'alpha_pattern'] as const;

/** Writes `file`. Throws `adapter_invalid` for a folder that is not a LoRA adapter of this model. */
export async function convertAdapter(folder: string, shape: ModelShape, file: string): Promise<void> {
  const { rank, alpha } = await readConfig(join(folder, 'adapter_config.json'));
  const weights = join(folder, 'adapter_model.safetensors');
  const stored = await tensorsOf(weights).catch((error: unknown) => {
    throw unreadable(weights, error);
  });
  const modules = new Map<string, { linear: Linear; layer: string; sides: Map<string, StoredTensor> }>();
  for (const [key, tensor] of stored) {
    const [, module = '', layer = '', inBlock = '', side = ''] = KEY.exec(key) ?? [];
    const linear = linears(shape).get(inBlock);
    if (linear === undefined || Number(layer) >= shape.layers)
      throw invalid(`${weights}: no linear layer of this model for ${key}`);
    const found = modules.get(module) ?? { linear, layer, sides: new Map<string, StoredTensor>() };
    modules.set(module, found);
    found.sides.set(side, tensor);
  }
  if (modules.size === 0) throw invalid(`${weights} holds no tensors`);
  const tensors: GgufTensor[] = [];
  for (const [module, { linear, layer, sides }] of modules) {
    const [a, b] = [sides.get('A'), sides.get('B')];
    const wanted = [
      [rank, linear.in],
      [linear.out, rank],
    ];
    if (!a || !b || String([a.shape, b.shape]) !== String(wanted))
      throw invalid(
        `${weights}: ${module} needs A (${wanted[0]}) and B (${wanted[1]}), found A (${a?.shape}) and B (${b?.shape})`,
      );
    const name = `blk.${layer}.${linear.gguf}.weight`;
    tensors.push(matrix(`${name}.lora_a`, a, await finite(weights, module, a)));
    // What stands behind a layer whose rows are in another order has its own rows in that order.
    const up = await finite(weights, module, b);
    const turned =
      linear.turnedHeads === null
        ? up
        : turnRows(up, rank * Float32Array.BYTES_PER_ELEMENT, linear.turnedHeads);
    tensors.push(matrix(`${name}.lora_b`, b, turned));
  }
  await writeGguf(file, metadata(shape, alpha), tensors);
}

/** Rank, and the alpha whose quotient by the rank is the scaling: llama.cpp knows no other. */
async function readConfig(file: string): Promise<{ rank: number; alpha: number }> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw unreadable(file, error);
  }
  const parsed = AdapterConfig.safeParse(json);
  if (!parsed.success) throw invalid(`${file}: not a LoRA configuration with r and lora_alpha`);
  const config = parsed.data;
  const unsupported: string[] = UNSUPPORTED.filter((key) => isSet(config[key]));
  if (config.bias !== 'none') unsupported.push('bias');
  if (unsupported.length > 0)
    throw invalid(`${file}: ${unsupported.join(', ')} is not supported by the llama.cpp engine`);
  // rsLoRA (arXiv:2312.03732) divides by the root of the rank.
  return { rank: config.r, alpha: config.lora_alpha * (config.use_rslora ? Math.sqrt(config.r) : 1) };
}

function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** The tensor's float32 bytes. */
async function finite(file: string, module: string, tensor: StoredTensor): Promise<Buffer> {
  const values = await readFloats(tensor);
  if (!values.every(Number.isFinite)) throw invalid(`${file}: ${module} holds NaN or infinity`);
  return Buffer.from(values.buffer);
}

function matrix(name: string, { shape }: StoredTensor, bytes: Buffer): GgufTensor {
  return { name, shape, type: 'F32', chunks: () => [bytes] };
}

function metadata({ architecture }: ModelShape, alpha: number): Map<string, MetadataValue> {
  return new Map([
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.type', { type: 'string', value: 'adapter' }],
    ['adapter.type', { type: 'string', value: 'lora' }],
    ['adapter.lora.alpha', { type: 'f32', value: alpha }],
  ]);
}

function unreadable(file: string, error: unknown): ApprenticeError {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    return invalid(`${file} is missing`);
  return invalid(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
}

function invalid(what: string): ApprenticeError {
  return new ApprenticeError('adapter_invalid', `${what}.`, 'Nothing was changed.');
}
