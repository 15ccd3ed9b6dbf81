/**
 * Adapters on disk: `adapters/policy@vN/` is complete and immutable from the moment it has its name, and
 * `optimizer/policy@vN.safetensors` goes with it. Making the tensors is the trainer's, loading them the engine's.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { type BatchId, versionNumber, WeightVersion } from '../../agent-server/protocol/ids.ts';
import { Lineage } from '../../agent-server/protocol/training.ts';
import { flushFile, flushFolder, publish, remove } from './durable.ts';

const WEIGHTS_FILE = 'adapter_model.safetensors';
const CONFIG_FILE = 'adapter_config.json';
const LINEAGE_FILE = 'lineage.json';
/** What a version's folder holds. */
export const VERSION_FILES = [CONFIG_FILE, LINEAGE_FILE, WEIGHTS_FILE] as const;
/** Marks what a crash may leave behind; no version begins so. */
const UNFINISHED = '.unfinished-';
/** Moments are twice an adapter's size and only good for training on; one to go on from, one to go back to. */
const KEPT_OPTIMIZERS = 2;

/** Where one training run writes, before any of it counts. */
export interface Unfinished {
  adapterFolder: string;
  optimizerFile: string;
}

/** What the trainer knows of a version that only its files are still missing from. */
export type LineageDraft = Omit<Lineage, 'adapterSha256' | 'baseModel'>;

export class Weights {
  readonly #adapters: string;
  readonly #optimizers: string;
  readonly #baseModel: string;

  /** `baseModel`: the name that adapters must have been trained on (base-model.ts). */
  constructor(home: string, baseModel: string) {
    this.#adapters = resolve(home, 'adapters');
    this.#optimizers = resolve(home, 'optimizer');
    this.#baseModel = baseModel;
  }

  /** Makes the folders and clears away what runs that never finished left. Call before the first run. */
  async open(): Promise<void> {
    for (const folder of [this.#adapters, this.#optimizers]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const name of await readdir(folder)) {
        if (name.startsWith(UNFINISHED)) await remove(join(folder, name));
      }
    }
    await this.#pruneOptimizers();
  }

  /** The folder of a version, there or not. */
  folder(version: WeightVersion): string {
    return join(this.#adapters, version);
  }

  /** Complete versions, oldest first. */
  async versions(): Promise<WeightVersion[]> {
    return (await readdir(this.#adapters))
      .flatMap((name) => WeightVersion.safeParse(name).data ?? [])
      .sort((a, b) => versionNumber(a) - versionNumber(b));
  }

  /**
   * The version that a batch has made, or null. A folder whose lineage cannot be read is passed over: `verify`
   * names the damage to whoever wants to use it, and it must not stop others from being trained.
   */
  async ofBatch(batchId: BatchId): Promise<WeightVersion | null> {
    for (const version of (await this.versions()).reverse()) {
      const lineage = await this.#lineage(this.folder(version)).catch(() => null);
      if (lineage?.batchId === batchId) return version;
    }
    return null;
  }

  /**
   * Reads and hashes a version's folder. Throws `adapter_invalid` when it is not directly under `adapters/`,
   * incomplete or not what its lineage says, `base_model_mismatch` when it was trained on another base.
   */
  async verify(folder: string): Promise<Lineage> {
    const path = resolve(folder);
    if (dirname(path) !== this.#adapters || !WeightVersion.safeParse(basename(path)).success) {
      throw invalid(folder, `it is not a version's folder under ${this.#adapters}`);
    }
    return this.#check(path, basename(path));
  }

  /** Is a version here, untouched, with just these weights? */
  async holds(version: WeightVersion, adapterSha256: string): Promise<boolean> {
    try {
      return (await this.verify(this.folder(version))).adapterSha256 === adapterSha256;
    } catch (error) {
      if (error instanceof ApprenticeError && error.code === 'adapter_invalid') return false;
      throw error;
    }
  }

  /**
   * Makes a version of a folder that came from elsewhere, on the same disk. Throws as `verify` does, and then leaves
   * the folder alone. A version of that name which is damaged, or has other weights, is replaced.
   */
  async adopt(folder: string, version: WeightVersion): Promise<Lineage> {
    const lineage = await this.#check(folder, version);
    await flushFolder(folder);
    // Moments that are here may be those of other weights; from zero is right for any.
    await remove(join(this.#optimizers, `${version}.safetensors`));
    await remove(this.folder(version));
    await publish(folder, this.folder(version));
    return lineage;
  }

  /** Deletes every version, with its moments, but those that `keep` is true of. */
  async drop(keep: (version: WeightVersion) => boolean): Promise<void> {
    for (const version of await this.versions()) if (!keep(version)) await remove(this.folder(version));
    await this.#pruneOptimizers();
  }

  async #check(path: string, name: string): Promise<Lineage> {
    const lineage = await this.#lineage(path);
    if (lineage.version !== name) throw invalid(path, `its lineage is that of ${lineage.version}`);
    if (lineage.baseModel !== this.#baseModel) {
      throw new ApprenticeError(
        'base_model_mismatch',
        `${lineage.version} was trained on ${lineage.baseModel}, and this worker serves ${this.#baseModel}.`,
        'Set the model back, or start over from the base with an empty home folder.',
      );
    }
    await readPart(path, CONFIG_FILE);
    if (sha256(await readPart(path, WEIGHTS_FILE)) !== lineage.adapterSha256) {
      throw invalid(path, 'its weights are not those that its lineage names');
    }
    return lineage;
  }

  /** The optimizer's moments that go with a version, or null when they have been pruned. */
  async optimizerFile(version: WeightVersion): Promise<string | null> {
    const name = `${version}.safetensors`;
    return (await readdir(this.#optimizers)).includes(name) ? join(this.#optimizers, name) : null;
  }

  /** Fresh places to write one run's results to. End it with `publish` or `discard`. */
  async begin(): Promise<Unfinished> {
    const name = `${UNFINISHED}${randomUUID()}`;
    const adapterFolder = join(this.#adapters, name);
    await mkdir(adapterFolder, { mode: 0o700 });
    return { adapterFolder, optimizerFile: join(this.#optimizers, `${name}.safetensors`) };
  }

  /**
   * Makes a run's results the version that `draft` names; the rename of the adapter's folder is the one moment
   * at which that becomes true. Moments go first: without their adapter they mean nothing and are overwritten.
   */
  async publish(unfinished: Unfinished, draft: LineageDraft): Promise<Lineage> {
    const { adapterFolder, optimizerFile } = unfinished;
    const adapterSha256 = sha256(await readPart(adapterFolder, WEIGHTS_FILE));
    const lineage: Lineage = { ...draft, adapterSha256, baseModel: this.#baseModel };
    await writeFile(join(adapterFolder, LINEAGE_FILE), `${JSON.stringify(lineage, null, 2)}\n`);
    for (const name of [WEIGHTS_FILE, CONFIG_FILE, LINEAGE_FILE]) await flushFile(join(adapterFolder, name));
    await flushFolder(adapterFolder);
    await flushFile(optimizerFile);
    await publish(optimizerFile, join(this.#optimizers, `${draft.version}.safetensors`));
    await publish(adapterFolder, this.folder(draft.version));
    await this.#pruneOptimizers();
    return lineage;
  }

  /** Removes what a run wrote. Harmless after `publish`. */
  async discard(unfinished: Unfinished): Promise<void> {
    await remove(unfinished.adapterFolder);
    await remove(unfinished.optimizerFile);
  }

  async #pruneOptimizers(): Promise<void> {
    const kept = new Set((await this.versions()).slice(-KEPT_OPTIMIZERS).map((v) => `${v}.safetensors`));
    for (const name of await readdir(this.#optimizers)) {
      if (!kept.has(name) && !name.startsWith(UNFINISHED)) await remove(join(this.#optimizers, name));
    }
  }

  async #lineage(folder: string): Promise<Lineage> {
    const text = (await readPart(folder, LINEAGE_FILE)).toString('utf8');
    try {
      return Lineage.parse(JSON.parse(text));
    } catch (error) {
      throw invalid(folder, `its ${LINEAGE_FILE} cannot be read`, error);
    }
  }
}

async function readPart(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (error) {
    throw invalid(folder, `it has no readable ${name}`, error);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function invalid(folder: string, why: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    'adapter_invalid',
    `The adapter in ${folder} is not usable: ${why}.`,
    'Serve another version; delete the folder to be rid of it.',
    { cause },
  );
}
