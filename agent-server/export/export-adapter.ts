/**
 * An adapter as a PEFT folder of its own, in the folder that the user chose: weights as they were published, a
 * configuration that names the base model and no path of this machine, and a model card. Lineage stays here: it names
 * samples.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import { Lineage } from '../protocol/training.ts';
import type { Store } from '../store/store.ts';
import { VERSION } from '../version.ts';
import type { BaseModel } from './base-model.ts';
import { modelCard } from './model-card.ts';

const WEIGHTS = 'adapter_model.safetensors';
const CONFIGURATION = 'adapter_config.json';

export interface AdapterExportParts {
  home: string;
  store: Pick<Store, 'version' | 'batch' | 'batchSamples' | 'batchTurns' | 'lineage' | 'promotions'>;
  /** Of the model that is set now, or that the version was trained on. */
  baseModel(lineage: Lineage): Promise<BaseModel>;
}

/**
 * Returns the new folder, `<folder>/apprentice-policy-vN`. Throws `not_found` for a version whose weights are not on
 * the disk, `adapter_invalid` when they are not those that were published, `invalid_request` when the folder is there
 * already, `aborted`; then nothing is left.
 */
export async function exportAdapter(
  parts: AdapterExportParts,
  { version, folder }: { version: WeightVersion; folder: string },
  signal: AbortSignal,
): Promise<string> {
  const source = join(parts.home, 'adapters', version);
  const made = parts.store.version(version);
  if (made?.adapterSha256 == null || made.folder === null)
    throw new ApprenticeError(
      'not_found',
      `The weights of ${version} are not on the disk.`,
      'Export another version.',
    );
  const target = join(folder, `apprentice-${version.replace('@', '-')}`);
  if (!isAbsolute(folder) || (await exists(target)))
    throw new ApprenticeError('invalid_request', `${target} is there already.`, 'Choose another folder.');
  const unfinished = `${target}.${randomUUID()}.part`;
  try {
    await mkdir(unfinished, { mode: 0o700 });
    const lineage = Lineage.parse(JSON.parse(await readFile(join(source, 'lineage.json'), 'utf8')));
    if (lineage.weights === 'full')
      throw new ApprenticeError(
        'invalid_request',
        `${version} is all weights of the model, and stays with the gpu-worker that trained it.`,
        'Copy its folder there: it is a Hugging Face model.',
      );
    const base = await parts.baseModel(lineage);
    const digest = await copied(join(source, WEIGHTS), join(unfinished, WEIGHTS), signal);
    if (digest !== made.adapterSha256)
      throw new ApprenticeError(
        'adapter_invalid',
        `The weights of ${version} are not those that were published.`,
        'Export another version; this one is damaged.',
      );
    const configuration = z
      .looseObject({})
      .parse(JSON.parse(await readFile(join(source, CONFIGURATION), 'utf8')));
    await writeFile(
      join(unfinished, CONFIGURATION),
      `${JSON.stringify({ ...configuration, base_model_name_or_path: base.name }, null, 2)}\n`,
    );
    await writeFile(join(unfinished, 'README.md'), card(parts.store, version, lineage, base));
    await rename(unfinished, target);
    return target;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (signal.aborted)
      throw new ApprenticeError('aborted', 'The export was cancelled; nothing was written.', '');
    throw toApprenticeError(error);
  }
}

function card(
  store: AdapterExportParts['store'],
  version: WeightVersion,
  lineage: Lineage,
  base: BaseModel,
): string {
  const samples = store.batchSamples(lineage.batchId);
  const decided = store
    .promotions(MAX_DECISIONS)
    .find((one) => one.version === version && one.figures !== null);
  return modelCard({
    base,
    lineage,
    trained: {
      kind: store.batch(lineage.batchId)?.kind ?? 'samples',
      newSamples: samples.filter(({ origin }) => origin === 'new').length,
      replayed: samples.filter(({ origin }) => origin === 'replay').length,
      requests: store.batchTurns(lineage.batchId).filter(({ role }) => role === 'request').length,
    },
    steps: store.lineage(version).length - 1,
    figures: decided?.figures ?? null,
    apprentice: VERSION,
  });
}

/** Decisions among which that on an exported version is looked for. */
const MAX_DECISIONS = 1_000;

/** Copies a file, and gives the hex sha256 of what was copied. */
async function copied(from: string, to: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(createReadStream(from), hashing, createWriteStream(to, { flags: 'wx', mode: 0o600 }), {
    signal,
  });
  return hash.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
