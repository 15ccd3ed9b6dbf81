/** The torch trainer: the whole model in one process. */
import { PythonBackend } from './python-backend.ts';

export interface TorchOptions {
  python: string;
  /** A Hugging Face model folder. */
  model: string;
  /** Math threads; null: all cores. */
  threads: number | null;
  /** torch's name of it; `cpu` where none is given. */
  device?: string;
  log: (line: string) => void;
}

export function torchBackend({ python, model, threads, device = 'cpu', log }: TorchOptions): PythonBackend {
  const count = threads === null ? [] : ['--threads', String(threads)];
  return new PythonBackend({
    python,
    module: 'apprentice_worker.trainer',
    args: ['--model', model, ...count, '--device', device],
    log,
  });
}
