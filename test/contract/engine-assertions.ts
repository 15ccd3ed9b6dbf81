/** What the engine's contract reads from answers: ids, logprobs, lists that are best first. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { GenerateResponse, TokenLogprob } from '../../agent-server/protocol/engine.ts';
import { type Flaw, type LlamaConfig, writeAdapter } from '../fixtures/adapter.ts';
import type { EngineClient } from './engine-client.ts';

export async function collect(stream: AsyncIterable<GenerateResponse>): Promise<GenerateResponse[]> {
  const chunks: GenerateResponse[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function idsOf(entries: readonly TokenLogprob[]): number[] {
  return entries.map(([, id]) => id);
}

export function logprobsOf(entries: readonly TokenLogprob[]): (number | null)[] {
  return entries.map(([logprob]) => logprob);
}

export function outputLogprobs(response: GenerateResponse): (number | null)[] {
  return logprobsOf(response.meta_info.output_token_logprobs ?? []);
}

export function assertClose(actual: (number | null)[], expected: (number | null)[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of actual.entries()) {
    const other = expected[index];
    assert.ok(typeof value === 'number' && typeof other === 'number', `position ${index} has no logprob`);
    assert.ok(Math.abs(value - other) <= tolerance, `position ${index}: ${value} and ${other}`);
  }
}

export function assertBestFirst(list: readonly TokenLogprob[] | null, length: number): void {
  assert.equal(list?.length, length);
  const logprobs = logprobsOf(list ?? []).map(Number);
  assert.deepEqual(
    logprobs,
    logprobs.toSorted((a, b) => b - a),
  );
}

/** An adapter that is broken, in each way, is refused by what is wrong with it. They are written under `folder`. */
export async function assertFlawsNamed(
  client: EngineClient,
  sizes: LlamaConfig,
  folder: string,
): Promise<void> {
  const flaws: [Flaw, RegExp][] = [
    ['missing_weights', /adapter_model\.safetensors is missing/],
    ['not_json', /cannot be read/],
    ['wrong_shape', /needs A/],
    ['not_a_number', /NaN/],
    ['foreign_module', /no linear layer/],
  ];
  for (const [flaw, message] of flaws) {
    await writeAdapter(join(folder, flaw), sizes, 1, flaw);
    const answer = await client.load('policy@v1', join(folder, flaw));
    assert.match(answer.error_message ?? '', message);
    assert.deepEqual(answer.loaded_adapters, {});
  }
}
