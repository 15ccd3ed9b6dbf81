/**
 * llama.cpp as node-llama-cpp's prebuilt binary offers it (3.22.0: `dist/bindings/AddonTypes.d.ts`, and `llama/addon/` in
 * C++). The layer above it in that package is not used: it keeps every LoRA adapter until the model goes, wants a context
 * of its own for each, and reads one position once. The version is fixed where it is installed (setup/llama-cpp.mjs).
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

export interface AddonModel {
  /** False: the file is not loaded. */
  init(): Promise<boolean>;
  loadLora(lora: AddonLora): Promise<void>;
  dispose(): Promise<void>;
}

export interface AddonLora {
  dispose(): Promise<void>;
}

export interface AddonContext {
  /** False: there is no memory for it. */
  init(): Promise<boolean>;
  /** Empties the batch and makes room for so many tokens. */
  initBatch(tokens: number): void;
  /** `logitsAt`: offsets among `tokens`. Returns under which indexes their logits can be read after `decodeBatch`. */
  addToBatch(sequence: number, start: number, tokens: Uint32Array, logitsAt: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  /**
   * `[sampled, , , pairs of token and logit, sum of exp(logit - largest)]` of the logits as the sampler leaves them.
   * `logits`: `[tokens, , , with the sampled one?, how many of the largest]`.
   */
  sampleToken(
    logitIndex: number,
    sampler: AddonSampler,
    probabilities: false,
    confidence: false,
    logits: readonly [tokens: readonly number[], max: false, min: false, sampled: boolean, top: number],
    total: boolean,
  ): Promise<[number, undefined, undefined, number[] | undefined, number | undefined]>;
  /** False: it cannot be cut there. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  setLoras(loras: readonly AddonLora[], scales: readonly number[]): void;
  dispose(): Promise<void>;
}

export interface AddonSampler {
  /** Without a temperature it is greedy, and changes no logit. */
  applyConfig(config: { temperature?: number; topK?: number }): void;
}

export interface Addon {
  init(): Promise<void>;
  loadBackends(folder?: string): void;
  setLogger(listener: (level: number, message: string) => void): void;
  setLoggerLogLevel(level: number): void;
  getGpuType(): string | false | undefined;
  AddonModel: new (
    file: string,
    options: { addonExports: Addon; gpuLayers: number; useMmap: boolean },
  ) => AddonModel;
  AddonModelLora: new (model: AddonModel, file: string) => AddonLora;
  AddonContext: new (
    model: AddonModel,
    options: {
      /** Tokens of all sequences together. */
      contextSize: number;
      batchSize: number;
      sequences: number;
      flashAttention: boolean;
      threads?: number;
      kvCacheKeyType?: number;
      kvCacheValueType?: number;
    },
  ) => AddonContext;
  AddonSampler: new (model: AddonModel) => AddonSampler;
}

/** node-llama-cpp's numbers: warnings and what is worse. */
const LOG_WARNINGS = 3;

/** Loads the binary. Throws `setup_failed` where it is not there or does not run on this machine. */
export async function loadAddon(file: string, log: (text: string) => void): Promise<Addon> {
  try {
    const addon: Addon = createRequire(import.meta.url)(file);
    addon.setLogger((_, message) => log(message));
    addon.setLoggerLogLevel(LOG_WARNINGS);
    addon.loadBackends();
    // Where each instruction set has a library of its own, the one for this processor is chosen here.
    if (addon.getGpuType() === undefined) addon.loadBackends(dirname(file));
    await addon.init();
    return addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ApprenticeError(
      'setup_failed',
      `llama.cpp cannot be loaded from ${file}: ${why}.`,
      'Run "Apprentice: Set Up Local Model", or apprentice-worker --setup --engine llama-cpp; it needs npm.',
      { cause },
    );
  }
}
