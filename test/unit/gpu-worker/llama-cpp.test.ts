/** What the llama.cpp engine is made of, without llama.cpp: files carried over, files refused, draws, sequences. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkGguf } from '../../../gpu-worker/engine/llama-cpp/check-gguf.ts';
import { convertModel, llama3Factors } from '../../../gpu-worker/engine/llama-cpp/convert-model.ts';
import { type MetadataValue, writeGguf } from '../../../gpu-worker/engine/llama-cpp/gguf.ts';
import { readF32, readGgufHeader } from '../../../gpu-worker/engine/llama-cpp/gguf-header.ts';
import { toHalves } from '../../../gpu-worker/engine/llama-cpp/halves.ts';
import { choose, uniforms } from '../../../gpu-worker/engine/llama-cpp/logits.ts';
import { readModelShape, turnRows } from '../../../gpu-worker/engine/llama-cpp/model-shape.ts';
import { toFloats } from '../../../gpu-worker/engine/llama-cpp/safetensors.ts';
import { Slots } from '../../../gpu-worker/engine/llama-cpp/slots.ts';
import { safetensors } from '../../fixtures/adapter.ts';

const never = new AbortController().signal;
const CONFIG = {
  model_type: 'llama',
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  vocab_size: 3,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
};
const BLOCK = 'model.layers.0';

describe('a model folder as a GGUF file', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'apprentice-gguf-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Numbers that tell where they came from. */
  const counted = (shape: number[], first: number) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { shape, data: Float32Array.from({ length }, (_, index) => first + index) };
  };

  async function writeModel(changes: object, tensorChanges: [string, ReturnType<typeof counted>][] = []) {
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...CONFIG, ...changes }));
    await writeFile(
      join(folder, 'tokenizer.json'),
      JSON.stringify({ model: { vocab: { a: 0, b: 1 } }, added_tokens: [{ id: 2, content: '<end>' }] }),
    );
    const tensors = new Map([
      ['model.embed_tokens.weight', counted([3, 4], 0)],
      ['model.norm.weight', counted([4], 100)],
      [`${BLOCK}.input_layernorm.weight`, counted([4], 200)],
      [`${BLOCK}.post_attention_layernorm.weight`, counted([4], 300)],
      [`${BLOCK}.self_attn.q_proj.weight`, counted([4, 4], 400)],
      [`${BLOCK}.self_attn.v_proj.weight`, counted([4, 4], 500)],
      ...tensorChanges,
    ]);
    await writeFile(join(folder, 'model.safetensors'), safetensors(tensors));
  }

  test("LLAMA-2: tensors stand there under llama.cpp's names, and rows of queries in its order", async () => {
    await writeModel({});
    const shape = await readModelShape(folder);
    const file = join(folder, 'out.gguf');
    await convertModel(folder, shape, file, never);
    const header = await readGgufHeader(file);
    assert.equal(header.metadata.get('general.architecture'), 'llama');
    assert.equal(header.metadata.get('llama.embedding_length'), 4);
    assert.ok(Math.abs(Number(header.metadata.get('llama.attention.layer_norm_rms_epsilon')) - 1e-5) < 1e-10);
    assert.deepEqual(header.tensors.get('token_embd.weight')?.shape, [3, 4]);
    const read = async (name: string) => [...(await readF32(file, header, name))];
    assert.deepEqual(await read('output_norm.weight'), [100, 101, 102, 103]);
    const rows = await read('blk.0.attn_q.weight');
    // Of a head of four rows transformers turns 0 with 2 and 1 with 3, llama.cpp neighbours.
    assert.deepEqual(
      [0, 4, 8, 12].map((at) => rows[at]),
      [400, 408, 404, 412],
    );
    assert.deepEqual((await read('blk.0.attn_v.weight'))[4], 504);
  });

  test('LLAMA-3: what cannot be carried over is refused by name', async () => {
    const cases: [object, [string, ReturnType<typeof counted>][], RegExp][] = [
      [{ model_type: 'gemma2' }, [], /family gemma2/],
      [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, [], /yarn/],
      [{ use_sliding_window: true }, [], /sliding window/],
      [{}, [[`${BLOCK}.self_attn.q_proj.weight`, counted([8, 4], 0)]], /q_proj.*shape 8,4/],
      [{}, [[`${BLOCK}.mlp.experts.0.weight`, counted([4, 4], 0)]], /experts.*no place/],
    ];
    for (const [changes, tensors, message] of cases) {
      await writeModel(changes, tensors);
      const converted = async () =>
        convertModel(folder, await readModelShape(folder), join(folder, 'refused.gguf'), never);
      await assert.rejects(converted, { code: 'setup_failed', message });
    }
  });

  test('LLAMA-4: a GGUF file of another model, vocabulary or training is refused, one of the very model is not', async () => {
    await writeModel({});
    const shape = await readModelShape(folder);
    const file = join(folder, 'given.gguf');
    await convertModel(folder, shape, file, never);
    await checkGguf(file, folder, shape);
    const refusedBy = (message: RegExp) =>
      assert.rejects(
        readModelShape(folder).then((now) => checkGguf(file, folder, now)),
        {
          code: 'setup_failed',
          message,
        },
      );
    await writeModel({}, [['model.norm.weight', counted([4], 101)]]);
    await refusedBy(/output_norm.*another training/);
    await writeModel({ num_hidden_layers: 2 });
    await refusedBy(/block_count is 1 there and 2/);
    await writeModel({ model_type: 'qwen2' });
    await refusedBy(/family llama, not qwen2/);
    await writeModel({ rope_theta: 500_000 });
    await refusedBy(/freq_base is 10000 there and 500000/);
    await writeModel({ vocab_size: 5 });
    await refusedBy(/3 tokens, not 5/);
    await writeFile(file, 'no such thing');
    await refusedBy(/cannot be read as GGUF/);
  });

  test('LLAMA-2: half a file is none: what breaks off leaves nothing under its name', async () => {
    const file = join(folder, 'broken.gguf');
    const metadata = new Map<string, MetadataValue>();
    const tensor = { name: 't', shape: [2], type: 'F32', chunks: () => [new Uint8Array(4)] } as const;
    await assert.rejects(writeGguf(file, metadata, [tensor]), /4 bytes, its shape 8/);
    await assert.rejects(readGgufHeader(file), { code: 'setup_failed', message: /ENOENT/ });
    await assert.rejects(readGgufHeader(`${file}.partial`), { message: /ENOENT/ });
  });
});

test('LLAMA-2: rows of two heads are turned within each; numbers of 16 bits keep their value', () => {
  const rows = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual([...turnRows(rows, 1, 2)], [0, 2, 1, 3, 4, 6, 5, 7]);
  const half = Buffer.from(Uint16Array.from([0x3c00, 0xc000, 0x3555, 0x0001, 0x7c00]).buffer);
  const [one, minusTwo, third, smallest, infinite] = toFloats(half, 'F16');
  assert.deepEqual([one, minusTwo, smallest, infinite], [1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
  assert.ok(Math.abs((third ?? 0) - 1 / 3) < 1e-3);
  assert.deepEqual([...toFloats(Buffer.from(Uint16Array.from([0x3f80, 0xc040]).buffer), 'BF16')], [1, -3]);
});

test('LLAMA-2: bfloat16 becomes float16 of the same value, and what that does not reach is told', () => {
  const bits = (...values: number[]) =>
    Buffer.from(
      Uint16Array.from(values, (value) => (new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0) >> 16)
        .buffer,
    );
  const values = [0, 1, -3.015625, 0.15625, 65_280, 2 ** -14, -(2 ** -15), 3 * 2 ** -24];
  const bytes = bits(...values);
  assert.ok(toHalves(bytes));
  assert.deepEqual([...toFloats(bytes, 'F16')], values);
  const tiny = bits(2 ** -30, 2 ** -24 * 1.25);
  assert.ok(toHalves(tiny));
  assert.deepEqual([...toFloats(tiny, 'F16')], [0, 2 ** -24]);
  for (const beyond of [2 ** 16, Number.POSITIVE_INFINITY, Number.NaN]) assert.ok(!toHalves(bits(1, beyond)));
});

test('LLAMA-2: llama3 leaves quick frequencies as they are and slows slow ones by the factor', () => {
  const rope = { kind: 'llama3', factor: 8, lowFactor: 1, highFactor: 4, originalContext: 8192 } as const;
  const factors = [...llama3Factors({ headSize: 128, ropeTheta: 500_000 }, rope)];
  assert.deepEqual([factors[0], factors.at(-1)], [1, 8]);
  assert.ok(factors.some((factor) => factor > 1 && factor < 8));
  assert.deepEqual(
    factors,
    factors.toSorted((a, b) => a - b),
  );
});

test('LLAMA-5: a draw takes the head of the distribution by top_p, and asks for more where it does not reach', () => {
  const weights = [4, 3, 2, 1];
  const at = (uniform: number, topP: number) => choose(weights, 10, topP, uniform, true);
  assert.deepEqual(
    [0, 0.39, 0.41, 0.71, 0.91].map((uniform) => at(uniform, 1)),
    [0, 0, 1, 2, 3],
  );
  // The first three hold 0.9; the first two 0.7, so that 0.71 needs the third.
  assert.deepEqual(
    [0.999, 0.5].map((uniform) => at(uniform, 0.71)),
    [2, 1],
  );
  assert.deepEqual(
    [0, 0.999].map((uniform) => at(uniform, 0.4)),
    [0, 0],
  );
  assert.equal(choose([4, 3], 10, 1, 0.8, false), null);
  assert.equal(choose([4, 3], 10, 0.9, 0, false), null);
  assert.equal(choose([4, 3], 10, 0.6, 0.9, false), 1);
  const [a, b] = [uniforms(7), uniforms(7)];
  const drawn = Array.from({ length: 1000 }, () => a());
  assert.deepEqual(
    drawn,
    Array.from({ length: 1000 }, () => b()),
  );
  assert.ok(drawn.every((value) => value >= 0 && value < 1));
  assert.ok(Math.abs(drawn.reduce((sum, value) => sum + value, 0) / 1000 - 0.5) < 0.05);
});

test('LLAMA-6: a prefix serves its own adapter and user alone, and a long one is not thrown away for a short one', () => {
  const cut: [number, number][] = [];
  const slots = new Slots(2, (id, length) => cut.push([id, length]));
  const ask = (prompt: number[], scope = '', reusable = prompt.length - 1) =>
    slots.take({ adapter: null, scope, prompt, reusable });
  const long = Array.from({ length: 200 }, (_, index) => index);
  const first = ask(long);
  first?.ids.push(...long);
  const second = ask([0, 1, 2, 3]);
  assert.deepEqual([first?.id, second?.id, second?.ids.length], [0, 1, 0]);
  assert.equal(ask([9]), null, 'both are taken');
  for (const slot of [first, second]) if (slot) slots.release(slot);
  // Three tokens in common, 197 to lose: the empty one is taken.
  const short = ask([0, 1, 2, 77, 78]);
  assert.equal(short?.id, 1);
  if (short) slots.release(short);
  const again = ask([...long, 500]);
  assert.deepEqual([again?.id, again?.ids.length], [0, 200]);
  if (again) slots.release(again);
  const other = ask([...long, 500], 'another user');
  assert.equal(other?.ids.length, 0);
  if (other) slots.release(other);
  const scored = ask([...long, 500], '', 150);
  assert.equal(scored?.ids.length, 150);
  assert.deepEqual(cut, [[0, 150]]);
  if (scored) slots.release(scored);
  slots.drop(({ scope }) => scope === '');
  assert.deepEqual(cut.at(-1), [0, 0]);
});
