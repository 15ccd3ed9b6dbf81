/** The command line of `sglang.launch_server` (0.5.23; fields of `sglang/srt/arg_groups/fields/`), from what the worker knows. */
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION } from '../../../agent-server/protocol/ids.ts';

export interface SglangOptions {
  /** A Hugging Face model folder. */
  model: string;
  /** What `GET /v1/models` calls it. */
  modelName: string;
  /** Adapters in the server's memory at once; 0: it takes none. */
  maxAdapters: number;
  /** Of any adapter. Memory for this rank is taken at the start, for every adapter that may be in a batch. */
  maxLoraRank: number;
  /** Requests decoded together. */
  maxRunning: number;
  /** Where requests bring none of their own. */
  seed: number;
  determinism: 'off' | 'batch-invariant';
  /** Of the server's own, from the user: `--tp-size 2`. */
  extra: readonly string[];
}

/** The linear layers that the trainer adapts (`all-linear`), by SGLang's names. */
const TARGET_MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** Decided by the worker: where it listens, who may call it, what it serves, and what the answers look like. */
const OURS: ReadonlySet<string> = new Set([
  '--model-path',
  '--model',
  '--tokenizer-path',
  '--served-model-name',
  '--weight-version',
  '--host',
  '--port',
  '--api-key',
  '--admin-api-key',
  '--config',
  '--enable-lora',
  '--lora-paths',
  '--max-loaded-loras',
  '--max-loras-per-batch',
  '--max-lora-rank',
  '--lora-target-modules',
  '--incremental-streaming-output',
  '--skip-tokenizer-init',
  '--dp-size',
  '--data-parallel-size',
]);

/**
 * Without host, port and keys: those are added where it is started (python/apprentice_worker/foreign_server.py).
 * Throws `invalid_request` for an extra flag that the worker decides.
 */
export function sglangFlags(options: SglangOptions): string[] {
  const taken = options.extra.find((flag) => OURS.has(flag.split('=')[0] ?? ''));
  if (taken !== undefined)
    throw new ApprenticeError(
      'invalid_request',
      `${taken} is the worker's to decide and cannot be given to SGLang.`,
      'Leave it out; what it would set has a flag of the worker where it can be chosen.',
    );
  return [
    ...['--model-path', options.model],
    ...['--served-model-name', options.modelName],
    ...['--weight-version', BASE_VERSION],
    ...(options.maxAdapters > 0 ? loraFlags(options) : []),
    ...['--max-running-requests', String(options.maxRunning)],
    ...['--random-seed', String(options.seed)],
    // What is new in each event and not the whole again: a long answer with logprobs costs what it is long.
    '--incremental-streaming-output',
    '--enable-metrics',
    ...(options.determinism === 'batch-invariant' ? ['--enable-deterministic-inference'] : []),
    ...options.extra,
  ];
}

function loraFlags({ maxAdapters, maxLoraRank }: SglangOptions): string[] {
  return [
    '--enable-lora',
    ...['--max-lora-rank', String(maxLoraRank)],
    ...['--lora-target-modules', ...TARGET_MODULES],
    // The base has a place of its own in a batch.
    ...['--max-loras-per-batch', String(maxAdapters + 1)],
    ...['--max-loaded-loras', String(maxAdapters + 1)],
  ];
}

/** Logprobs before temperature (`sglang/srt/layers/sampler.py`), as the contract has them; else they are after it. */
export const SGLANG_ENVIRONMENT: Readonly<Record<string, string>> = { SGLANG_RETURN_ORIGINAL_LOGPROB: '1' };
