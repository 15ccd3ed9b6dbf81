/**
 * A training backend without a model: its adapter is one tensor that remembers how often it was trained, its
 * loss falls with every step. Dies when told to, as a real process does.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../agent-server/learning/tensors.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import { BatchManifest, type TrainMetrics } from '../../agent-server/protocol/training.ts';
import type { OnProgress, TrainBackend, TrainJob } from '../../gpu-worker/trainer/trainer.ts';

const WEIGHTS = 'adapter_model.safetensors';
const READY: ProcessState = { state: 'ready', restarts: 0, detail: null };

export class FakeTrainBackend implements TrainBackend {
  /** Jobs begun, those that died included. */
  started = 0;
  /** Awaited before each run: a test holds a run by what this returns. */
  beforeRun: () => Promise<void> = async () => undefined;
  readonly #padding: Int32Array<ArrayBuffer>;
  #die: (() => void) | null = null;

  /** `paddingBytes`: adapters are larger by so much. */
  constructor(paddingBytes = 0) {
    this.#padding = new Int32Array(paddingBytes / 4);
  }

  /** Ends the run in progress as the death of its process would. */
  kill(): void {
    this.#die?.();
  }

  async run(job: TrainJob, onProgress: OnProgress, signal: AbortSignal): Promise<TrainMetrics> {
    this.started += 1;
    const death = new AbortController();
    this.#die = () =>
      death.abort(
        new ApprenticeError('trainer_unavailable', 'The trainer process ended with SIGKILL', 'Try again.'),
      );
    const pulse = (phase: 'loading' | 'training' | 'saving', fraction: number) => {
      onProgress(phase, fraction);
      death.signal.throwIfAborted();
      signal.throwIfAborted();
    };
    pulse('loading', 0);
    await this.beforeRun();
    const manifest = BatchManifest.parse(
      JSON.parse(await readFile(join(job.batchFolder, 'manifest.json'), 'utf8')),
    );
    const tensors = await readTensors(join(job.batchFolder, 'batch.safetensors'));
    const advantages = tensors.get('support_advantages')?.data ?? [];
    if ([...advantages].some((value) => Number.isNaN(Number(value)))) {
      throw new ApprenticeError('step_rejected', 'The step has loss NaN.', 'See the batch.');
    }
    pulse('training', 0);
    const trained = (job.parentFolder === null ? 0 : await timesTrained(job.parentFolder)) + 1;
    pulse('saving', 0);
    const weights = encodeSafetensors({
      trained: { dtype: 'I32', shape: [1], data: Int32Array.of(trained) },
      padding: { dtype: 'I32', shape: [this.#padding.length], data: this.#padding },
    });
    await writeFile(join(job.out, WEIGHTS), weights);
    const { loraRank, loraAlpha } = manifest.hyperparameters;
    await writeFile(
      join(job.out, 'adapter_config.json'),
      JSON.stringify({ peft_type: 'LORA', r: loraRank, lora_alpha: loraAlpha }),
    );
    await writeFile(job.optimizerOut, weights);
    return {
      loss: 4 / trained,
      gradNorm: 1,
      logprobFall: -0.1,
      klToBase: 0.1,
      steps: [{ loss: 4 / trained, gradNorm: 1, klToBase: 0.1 }],
      trainedTokens: tensors.get('loss_mask')?.data.length ?? 0,
      tokens: tensors.get('tokens')?.data.length ?? 0,
      seconds: 0,
    };
  }

  state(): ProcessState {
    return READY;
  }

  onStateChange(): () => void {
    return () => {};
  }
}

async function timesTrained(folder: string): Promise<number> {
  return Number((await readTensors(join(folder, WEIGHTS))).get('trained')?.data[0] ?? 0);
}

async function readTensors(file: string): Promise<Map<string, Tensor>> {
  return decodeSafetensors(new Uint8Array(await readFile(file)));
}
