/**
 * A batch folder, checked before anything trains on it: the manifest's form, the tensors' hash, names, types,
 * shapes and offsets against the contract. Token ids are checked against the vocabulary by the one who knows it.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BatchManifest } from '../../agent-server/protocol/training.ts';
import { type Entry, readInt64, readTensorEntries } from './safetensors-header.ts';

/** T tokens, S samples, R response positions, K support tokens a position. */
const TENSORS = {
  tokens: ['I32', 'T'],
  sample_offsets: ['I64', 'S+1'],
  response_starts: ['I64', 'S'],
  support_ids: ['I32', 'R', 'K'],
  support_logprobs: ['F32', 'R', 'K'],
  support_advantages: ['F32', 'R', 'K'],
  old_logprobs: ['F32', 'R'],
  behaviour_logprobs: ['F32', 'R'],
  loss_mask: ['U8', 'R'],
  ce_weights: ['F32', 'R'],
} as const;

/**
 * Reads and checks a batch folder. Throws `batch_invalid` when it breaks the contract, `batch_tampered` when the
 * tensors are not the ones that the manifest names.
 */
export async function readBatchFolder(folder: string): Promise<BatchManifest> {
  const manifest = parseManifest(folder, await readPart(folder, 'manifest.json'));
  const tensors = await readPart(folder, 'batch.safetensors');
  if (createHash('sha256').update(tensors).digest('hex') !== manifest.tensorsSha256) {
    throw new ApprenticeError(
      'batch_tampered',
      `The tensors in ${folder} are not those that its manifest names.`,
      'The batch is not trained. Delete its folder; its samples go into another batch.',
    );
  }
  try {
    checkTensors(tensors, manifest.rows.length);
  } catch (error) {
    if (error instanceof ApprenticeError) throw error;
    throw invalid(folder, error instanceof Error ? error.message : String(error), error);
  }
  return manifest;
}

function parseManifest(folder: string, bytes: Buffer): BatchManifest {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid(folder, 'manifest.json is not JSON', error);
  }
  const parsed = BatchManifest.safeParse(json);
  if (!parsed.success) throw invalid(folder, `manifest.json: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Throws an Error that says what is wrong with the file's tensors. */
function checkTensors(file: Buffer, sampleCount: number): void {
  const entries = readTensorEntries(file);
  const sizes = new Map<string, number>([['S', sampleCount]]);
  for (const name of entries.keys()) {
    if (!Object.hasOwn(TENSORS, name)) throw new Error(`tensor ${name} is not in the contract`);
  }
  for (const [name, [dtype, ...dimensions]] of Object.entries(TENSORS)) {
    const entry = entries.get(name);
    if (!entry) throw new Error(`tensor ${name} is missing`);
    if (entry.dtype !== dtype) throw new Error(`tensor ${name} is ${entry.dtype} and not ${dtype}`);
    if (entry.shape.length !== dimensions.length) {
      throw new Error(
        `tensor ${name} has shape [${entry.shape.join(', ')}] and not [${dimensions.join(', ')}]`,
      );
    }
    dimensions.forEach((symbol, index) => {
      const found = entry.shape[index] ?? 0;
      const size = symbol === 'S+1' ? sampleCount + 1 : sizes.get(symbol);
      if (size === undefined) sizes.set(symbol, found);
      else if (found !== size) throw new Error(`tensor ${name} has ${found} for ${symbol}, which is ${size}`);
    });
  }
  checkOffsets(file, entries, sizes);
}

function checkOffsets(file: Buffer, entries: Map<string, Entry>, sizes: Map<string, number>): void {
  const offsets = readInt64(file, entries.get('sample_offsets'));
  const starts = readInt64(file, entries.get('response_starts'));
  if (offsets[0] !== 0 || offsets.at(-1) !== sizes.get('T')) {
    throw new Error('sample_offsets do not run from 0 to the number of tokens');
  }
  let responseTokens = 0;
  starts.forEach((start, sample) => {
    const begin = offsets[sample] ?? 0;
    const end = offsets[sample + 1] ?? 0;
    if (!(begin < start && start < end)) {
      throw new Error(`sample ${sample} needs a prompt and a response, and has [${begin}, ${start}, ${end})`);
    }
    responseTokens += end - start;
  });
  if (responseTokens !== sizes.get('R')) {
    throw new Error(`the responses have ${responseTokens} tokens, the tensors ${sizes.get('R')} rows`);
  }
}

async function readPart(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (error) {
    throw invalid(folder, `it has no readable ${name}`, error);
  }
}

function invalid(folder: string, why: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'batch_invalid',
    `The batch in ${folder} breaks the contract: ${why}.`,
    'The batch is not trained. Agent-server and gpu-worker must be of one version.',
    { cause },
  );
}
