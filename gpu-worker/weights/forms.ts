/**
 * The two forms in which a version is kept: an adapter as PEFT has it, or all weights as Hugging Face has a model. What
 * vouches for its files, which of them travel, and how its moments are called. Versions as such are weights.ts.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256OfFile } from '../../agent-server/parcels/pull.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { WeightVersion } from '../../agent-server/protocol/ids.ts';
import type { FileName } from '../../agent-server/protocol/parcel.ts';
import type { TrainedWeights } from '../../agent-server/protocol/training.ts';

export const LINEAGE_FILE = 'lineage.json';
const ADAPTER_FILE = 'adapter_model.safetensors';
const ADAPTER_CONFIG = 'adapter_config.json';
const MODEL_FILES = ['config.json', 'model.safetensors.index.json'];
/** Folders whose digest is remembered: more than one user ever has here. */
const MAX_REMEMBERED = 16;

export interface Form {
  kind: TrainedWeights;
  /** Files that an agent-server keeps. All weights stay with the worker: they are too large to travel. */
  travels: readonly FileName[];
  /** Versions on this disk; null: as many as the agent-server says. */
  maxVersions: number | null;
  /** Name of the moments beside a version: a file, or a folder of a distributed checkpoint. */
  optimizerName(version: WeightVersion | string): string;
  /** `adapterSha256` of a lineage. Throws `adapter_invalid` for a folder that lacks a file. */
  digest(folder: string): Promise<string>;
}

export const ADAPTER_FORM: Form = {
  kind: 'adapter',
  travels: [ADAPTER_CONFIG, LINEAGE_FILE, ADAPTER_FILE],
  maxVersions: null,
  optimizerName: (version) => `${version}.safetensors`,
  digest: async (folder) => {
    await readPart(folder, ADAPTER_CONFIG);
    return sha256(await readPart(folder, ADAPTER_FILE));
  },
};

/** A new one for each user, as it remembers what it has read. */
export function fullForm(): Form {
  /** By what the system says of a folder's files, so that it holds of them under a new name too. */
  const remembered = new Map<string, string>();
  return {
    kind: 'full',
    travels: [LINEAGE_FILE],
    maxVersions: 4,
    optimizerName: (version) => `${version}.checkpoint`,
    digest: async (folder) => {
      const state = await stateOf(folder);
      // Hundreds of gigabytes are read once, and again when a file is another.
      const known = remembered.get(state);
      if (known !== undefined) return known;
      const digest = await listDigest(folder);
      remembered.set(state, digest);
      for (const oldest of remembered.keys()) if (remembered.size > MAX_REMEMBERED) remembered.delete(oldest);
      return digest;
    },
  };
}

/** Sha256 of what `sha256sum` prints of the folder's files in the order of their names, lineage.json left out. */
async function listDigest(folder: string): Promise<string> {
  const list: string[] = [];
  for (const name of await weightFiles(folder))
    list.push(
      `${await sha256OfFile(join(folder, name)).catch((error) => missing(folder, name, error))}  ${name}\n`,
    );
  return sha256(list.join(''));
}

async function weightFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) =>
    missing(folder, 'files', error),
  );
  const names = entries
    .filter((entry) => entry.isFile() && entry.name !== LINEAGE_FILE)
    .map(({ name }) => name);
  for (const name of MODEL_FILES) if (!names.includes(name)) missing(folder, name);
  return names.sort();
}

/** Changes when a file does. */
async function stateOf(folder: string): Promise<string> {
  const files = await weightFiles(folder);
  const states = await Promise.all(
    files.map(async (name) => {
      const { size, mtimeMs, ctimeMs, ino } = await stat(join(folder, name));
      return [name, size, mtimeMs, ctimeMs, ino];
    }),
  );
  return JSON.stringify(states);
}

/** Throws `adapter_invalid`. */
export async function readPart(folder: string, name: string): Promise<Buffer> {
  return await readFile(join(folder, name)).catch((error) => missing(folder, name, error));
}

function missing(folder: string, name: string, cause?: unknown): never {
  throw invalid(folder, `it has no readable ${name}`, cause);
}

export function invalid(folder: string, why: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'adapter_invalid',
    `The version in ${folder} is not usable: ${why}.`,
    'Serve another version; delete the folder to be rid of it.',
    { cause },
  );
}

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
