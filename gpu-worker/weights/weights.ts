/**
 * Versions on disk: `adapters/policy@vN/` is complete and immutable from the moment it has its name, and the moments in
 * `optimizer/` go with it. Making the tensors is the trainer's, loading them the engine's; what their files are is forms.ts.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { type BatchId, versionNumber, WeightVersion } from '../../agent-server/protocol/ids.ts';
import { Lineage } from '../../agent-server/protocol/training.ts';
import { flushAll, flushFolder, publish, remove } from './durable.ts';
import { ADAPTER_FORM, type Form, invalid, LINEAGE_FILE, readPart } from './forms.ts';

/** Marks what a crash may leave behind; no version begins so. */
const UNFINISHED = '.unfinished-';
/** Moments are twice the weights' size and only good for training on; one to go on from, one to go back to. */
const KEPT_OPTIMIZERS = 2;

/** Where one training run writes, before any of it counts. */
export interface Unfinished {
  adapterFolder: string;
  optimizerFile: string;
}

/** What the trainer knows of a version that only its files are still missing from. */
export type LineageDraft = Omit<Lineage, 'adapterSha256' | 'baseModel' | 'weights'>;

export class Weights {
  readonly #adapters: string;
  readonly #optimizers: string;
  readonly #baseModel: string;
  readonly #form: Form;
  readonly #inUse: () => Iterable<string>;

  /**
   * `baseModel`: the name that versions must have been trained on (base-model.ts). `inUse`: those that the engine has,
   * which stay when there are too many.
   */
  constructor(
    home: string,
    baseModel: string,
    form: Form = ADAPTER_FORM,
    inUse: () => Iterable<string> = () => [],
  ) {
    this.#adapters = resolve(home, 'adapters');
    this.#optimizers = resolve(home, 'optimizer');
    this.#baseModel = baseModel;
    this.#form = form;
    this.#inUse = inUse;
  }

  /** Files of a version that an agent-server keeps too. */
  get travels(): Form['travels'] {
    return this.#form.travels;
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
    await remove(join(this.#optimizers, this.#form.optimizerName(version)));
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
    if (lineage.weights !== this.#form.kind || (await this.#form.digest(path)) !== lineage.adapterSha256) {
      throw invalid(path, 'its weights are not those that its lineage names');
    }
    return lineage;
  }

  /** The optimizer's moments that go with a version, or null when they have been pruned. */
  async optimizerFile(version: WeightVersion): Promise<string | null> {
    const name = this.#form.optimizerName(version);
    return (await readdir(this.#optimizers)).includes(name) ? join(this.#optimizers, name) : null;
  }

  /** Fresh places to write one run's results to. End it with `publish` or `discard`. */
  async begin(): Promise<Unfinished> {
    const name = `${UNFINISHED}${randomUUID()}`;
    const adapterFolder = join(this.#adapters, name);
    await mkdir(adapterFolder, { mode: 0o700 });
    return { adapterFolder, optimizerFile: join(this.#optimizers, this.#form.optimizerName(name)) };
  }

  /**
   * Makes a run's results the version that `draft` names; the rename of the adapter's folder is the one moment
   * at which that becomes true. Moments go first: without their adapter they mean nothing and are overwritten.
   */
  async publish(unfinished: Unfinished, draft: LineageDraft): Promise<Lineage> {
    const { adapterFolder, optimizerFile } = unfinished;
    const adapterSha256 = await this.#form.digest(adapterFolder);
    const { kind } = this.#form;
    const lineage: Lineage = { ...draft, adapterSha256, baseModel: this.#baseModel, weights: kind };
    await writeFile(join(adapterFolder, LINEAGE_FILE), `${JSON.stringify(lineage, null, 2)}\n`);
    await flushAll(adapterFolder);
    await flushAll(optimizerFile);
    const optimizer = join(this.#optimizers, this.#form.optimizerName(draft.version));
    // A folder does not take another's place as a file does.
    await remove(optimizer);
    await publish(optimizerFile, optimizer);
    await publish(adapterFolder, this.folder(draft.version));
    await this.#pruneVersions([draft.version, draft.parent, ...this.#inUse()]);
    await this.#pruneOptimizers();
    return lineage;
  }

  /** Removes what a run wrote. Harmless after `publish`. */
  async discard(unfinished: Unfinished): Promise<void> {
    await remove(unfinished.adapterFolder);
    await remove(unfinished.optimizerFile);
  }

  /** The oldest go, but for those that are needed, where there are more than the form allows. */
  async #pruneVersions(needed: readonly string[]): Promise<void> {
    const { maxVersions } = this.#form;
    const versions = await this.versions();
    if (maxVersions === null) return;
    const old = versions.filter((version) => !needed.includes(version));
    for (const version of old.slice(0, Math.max(0, versions.length - maxVersions)))
      await remove(this.folder(version));
  }

  async #pruneOptimizers(): Promise<void> {
    const newest = (await this.versions()).slice(-KEPT_OPTIMIZERS);
    const kept = new Set(newest.map((version) => this.#form.optimizerName(version)));
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
