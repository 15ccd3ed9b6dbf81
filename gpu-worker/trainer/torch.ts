/** The torch trainer: the whole model in one process. */
import type { TrainerPrecision } from '../../agent-server/protocol/trainer-choice.ts';
import { PythonBackend } from './python-backend.ts';

export interface TorchOptions {
  python: string;
  /** A Hugging Face model folder. */
  model: string;
  /** Math threads; null: all cores. */
  threads: number | null;
  /** torch's name of it; `cpu` where none is given. */
  device?: string;
  /** `auto` where none is given. */
  precision?: TrainerPrecision;
  log: (line: string) => void;
}

export function torchBackend(options: TorchOptions): PythonBackend {
  const { python, model, threads, device = 'cpu', precision = 'auto', log } = options;
  const count = threads === null ? [] : ['--threads', String(threads)];
  return new PythonBackend({
    python,
    module: 'apprentice_worker.trainer',
    args: ['--model', model, ...count, '--device', device, '--precision', precision],
    log,
  });
}
